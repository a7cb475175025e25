{#
  Columns that a release added to a table which it changed in place. dbt's next build of the older model
  fails on them: with `on_schema_change: ignore` it fills every column of the table, with `fail` it compares
  them. So a rollback drops them, also where it leaves the rows as they are; rows with a value in one are kept whole
  in the undone schema first. A column that somebody else uses stays, and is told.

  `narrow`: [{name, live, identifier, undone, added}], newest release first, by postgres_take_back_plan.
#}

{# Once all has moved. What a rollback took out, and views of pull requests, go with the column. #}
{% macro postgres_drop_added_columns() %}
      for undone in select value ->> 'name' as name, (value ->> 'live')::oid as live, value ->> 'identifier' as identifier, value ->> 'undone' as schema, c.names,
          c.listed, c.filled, c.actions from jsonb_array_elements(narrow) with ordinality t(value, n) cross join lateral (
            select array_agg(format('%s.%I', value ->> 'name', a.attname) order by a.attnum) as names, array_agg(a.attnum) as listed,
              string_agg(format('%I is not null', a.attname), ' or ') as filled, string_agg(format('drop column %I', a.attname), ', ') as actions
            from jsonb_array_elements_text(value -> 'added') x(name) join pg_attribute a on a.attrelid = (value ->> 'live')::oid and a.attname = x.name and not a.attisdropped
          ) c where c.names <> '{}' order by n
      loop
        waits_for := undone.live;
        begin
          execute format('lock table %s in share row exclusive mode', undone.name);
          execute format('create table %I.%I as select * from %s where %s', undone.schema, undone.identifier, undone.name, undone.filled);
          for part in
            with recursive above(oid, depth) as (
              select w.ev_class, 1 from pg_depend d join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
                where d.refclassid = 'pg_class'::regclass and d.refobjid = undone.live and d.refobjsubid = any (undone.listed)
              union
              select w.ev_class, a.depth + 1 from above a join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.oid
                and d.classid = 'pg_rewrite'::regclass join pg_rewrite w on w.oid = d.objid where w.ev_class <> a.oid and a.depth < 64
            )
            select c.oid, case c.relkind when 'm' then 'materialized view' else 'view' end as kind, max(a.depth) as depth
            from above a join pg_class c on c.oid = a.oid join pg_namespace n on n.oid = c.relnamespace
            where marks ? n.nspname::text and c.relkind in ('v', 'm') group by 1, 2 order by 3 desc
          loop
            execute format('drop %s %s', part.kind, part.oid::regclass);
          end loop;
          begin
            execute format('alter table %s %s', undone.name, undone.actions);
          exception when dependent_objects_still_exist then
            leaving := array[undone.live];
            entering := '{}';
            {{ dbtdeploy.postgres_release_things() }}
            {{ dbtdeploy.postgres_drop_things('layout') }}
            execute format('alter table %s %s cascade', undone.name, replace(undone.actions, ', drop', ' cascade, drop'));
            {{ dbtdeploy.postgres_make_things('layout') }}
          end;
          columns_dropped := columns_dropped || undone.names;
        exception
          when lock_not_available or deadlock_detected then
            raise;
          when sqlstate 'DD001' or sqlstate 'DD002' or dependent_objects_still_exist then
            columns_stay := columns_stay || array(select concat(name, ': ', coalesce(said[1], sqlerrm)) from unnest(undone.names) name);
            said := '{}';
        end;
      end loop;
      waits_for := null;
{% endmacro %}
