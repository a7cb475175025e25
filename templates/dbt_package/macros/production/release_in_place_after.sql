{#
  What follows once a table's rows are changed in place: numbers, the rows as they were, what else the build
  did to its copy, and what reads the copy. Variables: see release_in_place.sql.
#}

{% macro postgres_hand_over_numbers() %}
        for part in select n.sequence, it.value -> 'numbers' -> n.sequence::text as stood,
            {{ dbtdeploy.postgres_staged_numbers() }} as staged
            from {{ dbtdeploy.postgres_number_columns('it.live') }} n loop
          execute format('select setval(%L::regclass, last_value, is_called) from %s where jsonb_build_array(last_value, is_called) <> $1',
            part.sequence::regclass::text, part.staged) using part.stood;
        end loop;
{% endmacro %}


{#
  Of each row that was written: what it held before (null: it is new), and which version it is now (null:
  it is gone), and which one it was, for the release before it to find it again. An AFTER trigger may have written
  the row once more, within this swap: currtid2 follows it to its last version. Kept under the table's name; how to read it stands in a table of our own schema, where nobody
  else writes.
#}
{% macro postgres_keep_touched() %}
        {{ dbtdeploy.postgres_make_keeping('it.keep') }}
        execute format('create table %I.%I as select t.id, split_part(t.layout, ''.'', 2) as layout, t.old, m.of, currtid2(m.of::regclass::text, m.live) as live, m.version, t.was_of, t.was_live, t.was_version from %I.%I t left join %s m on m.id = t.id',
          it.keep, it.identifier, it.log_schema, 'touched_' || it.node, map);
        {{ dbtdeploy.postgres_identify_rows("to_regclass(format('%I.%I', it.keep, it.identifier))") }}
        insert into dbt_deploy.changed_tables (environment, project, release_id, unique_id, oid, kept, files, layouts, added, altered, cascaded, whole)
          select job ->> 'environment', job ->> 'project', job ->> 'release_id', it.value ->> 'unique_id', it.live,
            to_regclass(format('%I.%I', it.keep, it.identifier))::oid, {{ dbtdeploy.postgres_files('it.live') }},
            (select coalesce(jsonb_object_agg(split_part(key, '.', 2), value), '{}') from jsonb_each(layouts)),
            to_jsonb(it.added), it.reshaped,
            (select coalesce(jsonb_agg(format('%s of %s', value::text::bigint - coalesce((cascades ->> key)::bigint, 0), key::oid::regclass) order by key::oid::regclass::text), '[]')
              from jsonb_each({{ dbtdeploy.postgres_cascaded('it.live') }}) where value::text::bigint > coalesce((cascades ->> key)::bigint, 0)), false;
{% endmacro %}

{# How many rows this transaction has changed in each of the tables into which foreign keys carry a DELETE or UPDATE on. #}
{% macro postgres_cascaded(relation) %}
(with recursive referring(oid) as (
    select k.conrelid from pg_constraint k where k.contype = 'f' and k.confrelid = {{ relation }} and k.conrelid <> {{ relation }}
      and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))
    union
    select x.oid from referring r cross join lateral (
      select k.conrelid from pg_constraint k where k.contype = 'f' and k.confrelid = r.oid and k.conrelid <> {{ relation }} and k.confdeltype in ('c', 'n', 'd')
      union all
      select i.inhrelid from pg_inherits i where i.inhparent = r.oid
    ) x(oid)
  )
  select coalesce(jsonb_object_agg(oid, pg_stat_get_xact_tuples_updated(oid) + pg_stat_get_xact_tuples_deleted(oid)), '{}') from referring)
{% endmacro %}

{# Made by this very try, or refused: a schema of that name that is there already is nobody we know. #}
{% macro postgres_make_keeping(schema) %}
        if not {{ schema }} = any (keeping) then
          execute format('create schema %I', {{ schema }});
          execute format('comment on schema %I is %L', {{ schema }}, job ->> 'mark');
          {{ dbtdeploy.postgres_close_schema(schema) }}
          keeping := keeping || {{ schema }};
        end if;
{% endmacro %}


{# What else dbt did to the copy: grants of the node's config or of a hook, comments, an index of a hook. #}
{% macro postgres_follow_copy() %}
        for part in
          with privilege as (select upper(p) as name from jsonb_array_elements_text(it.value -> 'managed') p),
          held as (
            select w.which, g.grantee, g.privilege_type from (values ('live', it.live), ('copy', it.copy)) w(which, oid)
            join pg_class c on c.oid = w.oid cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g
            where g.privilege_type in (select name from privilege) and g.grantee <> c.relowner
          )
          select 1 as step, format(case h.which when 'copy' then 'grant %s on %s to %s' else 'revoke %s on %s from %s' end, h.privilege_type, it.full_name,
              case h.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(h.grantee)) end) as statement
          from held h where not exists (select from held o where o.which <> h.which and o.grantee = h.grantee and o.privilege_type = h.privilege_type)
          union all
          select 1, format('grant %s on %s to %s%s', g.privilege_type, it.full_name, case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end,
            case when g.is_grantable then ' with grant option' else '' end)
          from pg_class c cross join lateral aclexplode(c.relacl) g where c.oid = it.copy and g.grantee <> c.relowner
            and g.privilege_type not in (select name from privilege)
            and not exists (select from aclexplode((it.value #>> '{catalog,rights }')::aclitem[]) b where b.grantee = g.grantee and b.privilege_type = g.privilege_type)
          union all
          select 2, format('comment on %s is %L', case when d.objsubid = 0 then 'table ' || it.full_name
              else format('column %s.%I', it.full_name, a.attname) end, d.description)
          from pg_description d left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0
          left join pg_attribute l on l.attrelid = it.live and l.attname = a.attname
          where d.classoid = 'pg_class'::regclass and d.objoid = it.copy and (d.objsubid = 0 or l.attnum is not null)
            and d.description is distinct from case when d.objsubid = 0 then obj_description(it.live, 'pg_class') else col_description(it.live, l.attnum) end
          union all
          select 3, {{ dbtdeploy.postgres_index_on('x.indexrelid', "(it.value ->> 'schema')", "(it.value ->> 'identifier')::name") }}
          from pg_index x join pg_class i on i.oid = x.indexrelid where x.indrelid = it.copy
            and not it.value -> 'catalog' ? ('index ' || i.relname) and not exists (select from pg_constraint k where k.conindid = x.indexrelid)
            and not exists (select from pg_index y join pg_class j on j.oid = y.indexrelid where y.indrelid = it.live and j.relname = i.relname)
          order by step
        loop
          {{ dbtdeploy.postgres_make_or_say('jsonb_build_array(part.statement)', 'part.statement') }}
        end loop;
{% endmacro %}


{#
  Staged views and functions that read a copy are made again on the live table. The copy bears a name
  of its own while their definitions are read, so that each mention in these is one of it.
#}
{% macro postgres_read_live_instead() %}
      if exists (select from dbt_deploy.baselines b where b.environment = job ->> 'environment' and b.project = job ->> 'project'
          and b.release_id = job ->> 'release_id') then
        for it in select (value ->> 'copy')::oid as copy, value ->> 'log_schema' as log_schema,
            'copy_' || (job ->> 'quote') || '_' || (value ->> 'node') || '_' as name
            from jsonb_array_elements(changes) loop
          execute format('alter table %s rename to %I', it.copy::regclass, it.name);
          execute format('alter table %s set schema %I', it.copy::regclass, it.log_schema);
        end loop;
        leaving := array(select (value ->> 'copy')::oid from jsonb_array_elements(changes));
        entering := '{}';
        {{ dbtdeploy.postgres_release_things() }}
        for it in select format('%I.%I', value ->> 'log_schema', 'copy_' || (job ->> 'quote') || '_' || (value ->> 'node') || '_') as name,
            value ->> 'full_name' as full_name from jsonb_array_elements(changes) loop
          things := replace(things::text, it.name, (select substr(j, 2, length(j) - 2) from (select to_json(it.full_name)::text as j) q))::jsonb;
        end loop;
        {{ dbtdeploy.postgres_drop_things() }}
        for it in select value, value ->> 'name' as name, value ->> 'kind' as kind from jsonb_array_elements(things) loop
          {{ dbtdeploy.postgres_make_or_say("it.value -> 'statements'", "it.kind || ' ' || it.name") }}
        end loop;
        for it in select distinct b.log_schema from dbt_deploy.baselines b join pg_namespace n on n.nspname = b.log_schema::name
            where b.environment = job ->> 'environment' and b.project = job ->> 'project' and b.release_id = job ->> 'release_id' loop
          execute format('drop schema %I cascade', it.log_schema);
        end loop;
      end if;
{% endmacro %}
