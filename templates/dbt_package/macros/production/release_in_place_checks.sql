{#
  What keeps a release from changing a table in place: the table is another one or was written to, the log
  of the build is not whole, or others drew the numbers that the build drew. Variables: see release_in_place.sql.
#}

{#
  A copy that the build replaced by a table of its own is swapped in; what others wrote since it was copied
  is not in it.
#}
{% macro postgres_refuse_lost_rows() %}
          for it in select p.value ->> 'full_name' as full_name, b.oid, b.log_schema, b.node from jsonb_array_elements(pairs) p
              join dbt_deploy.baselines b on b.environment = job ->> 'environment' and b.project = job ->> 'project'
                and b.release_id = job ->> 'release_id' and b.unique_id = p.value ->> 'unique_id' and b.oid = (p.value ->> 'old')::bigint loop
            execute format('select count(*) as rows from %s l full join %I.%I m on m.live = l.ctid and m.of = l.tableoid and m.version = l.xmin'
              ' where l.ctid is null or m.id is null', it.full_name, it.log_schema, 'map_' || it.node) into part;
            if part.rows > 0 then
              said := array[format('%s was written to since its rows were copied into staging', it.full_name)];
              raise exception using errcode = 'DD001', message = said[1];
            end if;
          end loop;
{% endmacro %}


{# The live table is the one that was copied. Under its lock. #}
{% macro postgres_refuse_another_live() %}
      select array_agg(value ->> 'full_name' || why order by value ->> 'full_name') into said from (
        select value, case
          when to_regclass(value ->> 'full_name') is null then ' is gone since its rows were copied into staging'
          when to_regclass(value ->> 'full_name') <> (value ->> 'live')::oid then ' was made anew since its rows were copied into staging'
          when not pg_has_role((select c.relowner from pg_class c where c.oid = (value ->> 'live')::oid), 'usage') then
            ' belongs to ' || (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = (value ->> 'live')::oid)
          when not (value ->> 'seed')::bool and {{ dbtdeploy.postgres_rewritten("value -> 'files'", "(value ->> 'live')::oid") }} then
            ' was rewritten since its rows were copied into staging (VACUUM FULL, CLUSTER, ALTER TABLE or TRUNCATE)'
          when not (value ->> 'seed')::bool and {{ dbtdeploy.postgres_partitions_gone("value -> 'files'", "(value ->> 'live')::oid") }} is not null then
            ' lost a partition since its rows were copied into staging: ' || {{ dbtdeploy.postgres_partitions_gone("value -> 'files'", "(value ->> 'live')::oid") }}
          else {{ dbtdeploy.postgres_columns_differ("(value -> 'columns') || (value -> 'early')", "(value ->> 'live')::oid") }}
        end as why from jsonb_array_elements(changes)
      ) found where why is not null;
      if said is not null then
        raise exception using errcode = 'DD001', message = said[1];
      end if;
      said := '{}';
{% endmacro %}


{# By which a copy and its log are known again, into `part.proof`. #}
{% macro postgres_proof(change) %}
        execute format('select jsonb_build_array((select max(n) from %1$I.log), (select max(statement) from %1$I.statements where node <> 0),'
          ' pg_relation_filenode(%2$s)) as proof', {{ change }} ->> 'log_schema', {{ change }} ->> 'copy') into part;
{% endmacro %}

{#
  Of the copies all that happened is in the log. Staging is built by then, so this is found out before anybody
  waits; the swap asks again only where a copy or its log is not what it then was. What a hook did to the table
  it asks always: it costs nothing.
#}
{% macro postgres_refuse_what_no_log_shows() %}
      said := '{}';
      for it in select value, value ->> 'full_name' as full_name, value ->> 'log_schema' as log_schema, (value ->> 'node')::int as node,
          (value ->> 'copy')::oid as copy, value -> 'catalog' as catalog, value -> 'columns' as columns,
          (value ->> 'emptied')::bigint as emptied, (value ->> 'seed')::bool as seed from jsonb_array_elements(changes) loop
        if it.emptied > 0 and not it.seed then
          said := said || format('%s: its build emptied it by TRUNCATE, which a release does not repeat in production', it.full_name);
          continue;
        end if;
        {{ dbtdeploy.postgres_proof('it.value') }}
        if job -> 'proofs' -> (it.value ->> 'unique_id') is distinct from part.proof then
          execute format('analyze %1$I.log; analyze %1$I.statements; analyze %1$I.%2$I', it.log_schema, 'map_' || it.node);
          execute format($q$
            with last as (
              select distinct on (place) place, there from (
                select before as place, n, false as there from %1$I.log where node = $1 and statement > $2 and before is not null
                union all
                select after, n, true from %1$I.log where node = $1 and statement > $2 and after is not null
              ) e order by place, n desc, there desc
            ), known as (
              select staged as place from %1$I.%2$I m where $2 = 0 and not exists (select from last l where l.place = m.staged)
              union all
              select place from last where there
            )
            select count(*) as rows from known k full join (select ctid as place from %3$s) c on c.place = k.place
              where k.place is null or c.place is null
            $q$, it.log_schema, 'map_' || it.node, it.copy::regclass) into part using it.node, it.emptied;
          if part.rows > 0 then
            said := said || format('%s: its build changed %s rows in a way that leaves no trace, such as a rewrite of the table', it.full_name, part.rows);
          end if;
        end if;
        said := said || array(
          select format('%s: its build changed the %s of the table, which a release does not repeat in production', it.full_name,
            case when coalesce(made.key, was.key) like 'column %' then format('column %s', coalesce((was.value #>> '{}')::json ->> 0, (made.value #>> '{}')::json ->> 0))
              else trim(coalesce(made.key, was.key)) end)
          from jsonb_each(it.catalog) was full join jsonb_each({{ dbtdeploy.postgres_catalog_of('it.copy') }}) made on made.key = was.key
          where made.value is distinct from was.value
            and coalesce(was.key, made.key) <> 'rights '
            and not (was.key is null and made.key like 'index %')
            {# A new column as dbt adds one: it has no default, and may be null. #}
            and not (was.key is null and made.key like 'column %' and made.value #>> '{}' ~ '^\["(\\"|[^"])*", false, "", "", null,')
            {# dbt drops a column, and what was on it with it. #}
            and not (made.key is null and exists (select from jsonb_to_recordset(it.columns) as o(name text, type text)
              left join jsonb_to_recordset({{ dbtdeploy.postgres_columns('it.copy') }}) as c(name text, type text) on c.name = o.name
              where c.type is distinct from o.type))
          order by 1);
      end loop;
      if said <> '{}' then
        raise exception using errcode = 'DD002', message = said[1];
      end if;
{% endmacro %}


{#
  Rows that others wrote meanwhile stay as they are, where the build depended on none of them: it has a
  key, reads no row of its own, and no key of theirs is one that it touches. Else nobody may have
  written at all: two builds would leave the same rows twice. A seed's file alone says what it holds.
#}
{% macro postgres_refuse_others_writes() %}
        if it.emptied > 0 then
          null;
        elsif jsonb_array_length(it.value -> 'keys') = 0 then
          execute format('select count(*) filter (where m.id is null) as came, count(*) filter (where l.ctid is null) as went'
            ' from %s l full join %s m on m.live = l.ctid and m.of = l.tableoid and m.version = l.xmin where l.ctid is null or m.id is null',
            it.full_name, map) into part;
          if part.came + part.went > 0 then
            said := array[format('%s was written to since its rows were copied into staging (%s rows came, %s went)', it.full_name, part.came, part.went)];
            raise exception using errcode = 'DD001', message = said[1];
          end if;
        else
          for layout in
            select l.key, string_agg(quote_ident(k), ', ') as names, string_agg(format('k.%1$I = l.%1$I', k), ' and ') as same,
              string_agg(format('(old::%s).%I', l.key, k), ', ') as before, string_agg(format('(new::%s).%I', l.key, k), ', ') as after
            from jsonb_each(layouts) l cross join jsonb_array_elements_text(it.value -> 'keys') k group by 1
          loop
            {# A key's type may have its equality elsewhere, as citext has. #}
            {{ dbtdeploy.postgres_sessions_path() }}
            execute format('select count(*) as rows from %s l left join %s m on m.live = l.ctid and m.of = l.tableoid and m.version = l.xmin'
              ' where m.id is null and exists (select from (select %s from %s where node = $1 and layout = $2 and old is not null'
              ' union select %s from %s where node = $1 and layout = $2 and new is not null) k(%s) where %s)',
              it.full_name, map, layout.before, logged, layout.after, logged, layout.names, layout.same)
              into part using it.node, layout.key;
            {{ dbtdeploy.postgres_empty_path() }}
            if part.rows > 0 then
              said := array[format('%s: others wrote %s rows with keys that the release changes, since its rows were copied into staging', it.full_name, part.rows)];
              raise exception using errcode = 'DD001', message = said[1];
            end if;
          end loop;
        end if;
{% endmacro %}


{#
  The build drew numbers as if nobody else did. Where somebody has since, they could be somebody's twice.
  A sequence that stands where staging's does may have been left so by a try of ours that was undone,
  for no sequence is undone with it; unless others wrote to the table.
#}
{% macro postgres_refuse_drawn_numbers() %}
        for part in select n.sequence, it.value -> 'numbers' -> n.sequence::text as stood,
            {{ dbtdeploy.postgres_staged_numbers() }} as staged
            from {{ dbtdeploy.postgres_number_columns('it.live') }} n loop
          execute format('select jsonb_build_array(p.last_value, p.is_called) as now, jsonb_build_array(s.last_value, s.is_called) as drawn from %s p, %s s',
            part.sequence::regclass, part.staged) into layout;
          continue when layout.drawn = part.stood or layout.now = part.stood;
          execute format('select exists (select from %s l left join %s m on m.live = l.ctid and m.of = l.tableoid and m.version = l.xmin'
            ' where m.id is null) as written', it.full_name, map) into step;
          if layout.now <> layout.drawn or step.written then
            said := array[format('%s: others drew numbers from %s since its rows were copied into staging', it.full_name, part.sequence::regclass)];
            raise exception using errcode = 'DD001', message = said[1];
          end if;
        end loop;
{% endmacro %}

{# Columns of a table that draw from a sequence: (name, sequence). #}
{% macro postgres_number_columns(relation) %}
(select a.attname as name, s.oid as sequence from pg_attribute a
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  join pg_depend x on x.classid = 'pg_class'::regclass and x.refclassid = 'pg_class'::regclass and x.refobjid = a.attrelid
      and x.refobjsubid = a.attnum and x.deptype = 'i' and a.attidentity <> ''
    or x.classid = 'pg_attrdef'::regclass and x.objid = d.oid and x.refclassid = 'pg_class'::regclass
  join pg_class s on s.relkind = 'S' and s.oid = case x.classid when 'pg_class'::regclass then x.objid else x.refobjid end
  where a.attrelid = {{ relation }} and a.attnum > 0 and not a.attisdropped)
{% endmacro %}

{# Of a column of postgres_number_columns: the sequence from which the copy drew. #}
{% macro postgres_staged_numbers() %}
coalesce(pg_get_serial_sequence(it.copy::regclass::text, n.name), format('%I.%I', it.log_schema, 'numbers_' || n.sequence))
{% endmacro %}
