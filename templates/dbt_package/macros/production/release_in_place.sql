{#
  What dbt wrote into the copies of production's rows (release_baselines.sql), done to the tables that
  are live: the same statements in the same order, each to the very row versions that were copied. The
  tables stay what they are, with all that was ever made on them. What is looked at first stands in
  release_in_place_checks.sql, what comes after the rows in release_in_place_after.sql.

  The parts of the DO block of release_swap.sql use these variables besides those of release_move.sql:

    changes   [a pair of the job, with full_name, live, copy, node, log_schema, columns; `emptied` is the number of the
              last TRUNCATE, after which alone the log counts]
    layouts   {name of a composite type in the log's schema: [{number, name, type}]}
    written   the xid that all that this try writes bears
#}

{# Pairs whose copy is still the table that was copied into: dbt wrote into it, and made none anew. #}
{% macro postgres_find_changes() %}
      select coalesce(jsonb_agg(p || jsonb_build_object('full_name', format('%I.%I', p ->> 'schema', (p ->> 'identifier')::name),
          'live', b.oid, 'copy', b.copy, 'node', b.node, 'log_schema', b.log_schema, 'files', b.files, 'columns', b.columns,
          'catalog', b.catalog, 'numbers', b.numbers, 'early', b.added) order by b.oid), '[]')
      into changes
      from jsonb_array_elements(job -> 'pairs') p
      join dbt_deploy.baselines b on b.environment = job ->> 'environment' and b.project = job ->> 'project'
        and b.release_id = job ->> 'release_id' and b.unique_id = p ->> 'unique_id'
      join pg_namespace n on n.nspname = (p ->> 'staging_schema')::name
      join pg_class c on c.relnamespace = n.oid and c.relname = (p ->> 'staging_identifier')::name and c.oid = b.copy;
      {# As in staging: what others refer to was written before what refers to it. #}
      for it in select value ->> 'log_schema' as log_schema, (value ->> 'node')::int as node, n - 1 as place
          from jsonb_array_elements(changes) with ordinality t(value, n) loop
        execute format('select (select min(statement) from %1$I.log where node = $1) as first,'
          ' (select coalesce(max(statement), 0) from %1$I.statements where node = $1 and op = ''TRUNCATE'') as emptied', it.log_schema)
          into part using it.node;
        changes := jsonb_set(changes, array[it.place::text],
          changes -> it.place::int || jsonb_build_object('first', part.first, 'emptied', part.emptied));
      end loop;
{% endmacro %}


{# Those that readers cannot read while they are changed: locked with all that moves, in one go. #}
{% macro postgres_find_reshaped() %}
          reshaping := array(
            select (c.value ->> 'live')::oid from jsonb_array_elements(changes) c where (c.value ->> 'emptied')::bigint > 0 or exists (
              select from jsonb_to_recordset(c.value -> 'columns') as o(name text, type text)
              left join jsonb_to_recordset({{ dbtdeploy.postgres_columns("(c.value ->> 'copy')::oid") }}) as n(name text, type text) on n.name = o.name
              where o.type is distinct from n.type));
{% endmacro %}


{# Keeps writers out, and nobody who reads. Taken before the first look, so that what is seen stays so. #}
{% macro postgres_lock_changes() %}
      {{ dbtdeploy.postgres_stop_autovacuum("with recursive family(oid) as (select (value ->> 'live')::oid from jsonb_array_elements(changes)"
        ~ ' union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid) select oid from family') }}
      for it in select value ->> 'full_name' as full_name, (value ->> 'live')::oid as live from jsonb_array_elements(changes) loop
        continue when to_regclass(it.full_name) is distinct from it.live;
        waits_for := it.live;
        perform set_config('lock_timeout', '250ms', true);
        execute format('lock table %s in share row exclusive mode', it.full_name);
      end loop;
      waits_for := null;
{% endmacro %}


{#
  Twice: first the tables whose columns stay, or are only added to, before anything is locked against
  readers; `late` the others, after all has moved, when what read the old columns is out of the way. At the
  very end those that are emptied first.
#}
{% macro postgres_apply_changes(late) %}
      for it in
        select value, value ->> 'full_name' as full_name, value ->> 'log_schema' as log_schema, (value ->> 'node')::int as node,
          (value ->> 'live')::oid as live, (value ->> 'copy')::oid as copy, value ->> 'keep' as keep, value ->> 'identifier' as identifier,
          d.altered, d.dropped, d.retyped, d.added, cardinality(d.dropped || d.retyped) > 0 as reshaped,
          (value ->> 'emptied')::bigint as emptied, (value ->> 'seed')::bool as seed
        from jsonb_array_elements(changes) cross join lateral (
          select coalesce(array_agg(case when o.name is null then format('add column %I %s', n.name, n.type)
                else format('alter column %1$I type %2$s using %1$I::%2$s', n.name, n.type) end order by n.name) filter (where n.name is not null
              and not exists (select from jsonb_to_recordset(value -> 'early') as e(name text) where e.name = n.name)), '{}') as altered,
            coalesce(array_agg(format('drop column %I', o.name) order by o.name) filter (where n.name is null), '{}') as dropped,
            coalesce(array_agg(n.name) filter (where o.name is not null and n.name is not null), '{}') as retyped,
            coalesce(array_agg(n.name) filter (where o.name is null), '{}') as added
          from jsonb_to_recordset(value -> 'columns') as o(name text, type text)
          full join jsonb_to_recordset({{ dbtdeploy.postgres_columns("(value ->> 'copy')::oid") }}) as n(name text, type text) on n.name = o.name
          where o.type is distinct from n.type
        ) d
        where (cardinality(d.dropped || d.retyped) > 0 or (value ->> 'emptied')::bigint > 0) = {{ late }}
        order by (value ->> 'emptied')::bigint > 0, cardinality(d.altered) > 0, (value ->> 'first')::bigint nulls last, value ->> 'full_name'
      loop
        at_work_on := it.full_name;
        map := format('%I.%I', it.log_schema, 'map_' || it.node);
        logged := format('(select g.*, s.columns, %L || md5(s.columns::text) as layout from %2$I.log g join %2$I.statements s using (statement)'
          ' where g.node = s.node and g.statement > %3$s) logged', format('%I.row_', it.log_schema), it.log_schema, it.emptied);
        {{ dbtdeploy.postgres_make_layouts() }}
        {{ dbtdeploy.postgres_refuse_others_writes() }}
        {{ dbtdeploy.postgres_refuse_drawn_numbers() }}
        execute format('select count(*) as rows from %s', it.full_name) into part;
        expected := part.rows;
        cascades := {{ dbtdeploy.postgres_cascaded('it.live') }};
        execute format('create table %I.%I (id bigint primary key, layout text, old text, was_of oid, was_live tid, was_version xid)', it.log_schema, 'touched_' || it.node);
        execute format('insert into %I.statements (node, op, columns) values (0, ''swap'', ''[]'')', it.log_schema);
        execute format('select xmin from %I.statements where node = 0 order by statement desc limit 1', it.log_schema) into written;
        things := '[]';
        if it.reshaped then
          {{ dbtdeploy.postgres_free_columns('it.live') }}
        end if;
        {{ dbtdeploy.postgres_alter_columns() }}
        if it.seed then
          {{ dbtdeploy.postgres_keep_seed() }}
        end if;
        if it.emptied > 0 then
          {{ dbtdeploy.postgres_empty_live() }}
        end if;
        for step in execute format('select * from (select statement, layout, columns, op, count(*) as rows from %s where node = $1'
            ' group by 1, 2, 3, 4 union all %s) steps order by statement, case op when ''D'' then 1 when ''U'' then 2 else 3 end',
            logged, {{ dbtdeploy.postgres_steps_without_rows() }}) using it.node loop
          {{ dbtdeploy.postgres_apply_step() }}
        end loop;
        {{ dbtdeploy.postgres_settle_constraints() }}
        execute format('select count(*) as rows from %s', it.full_name) into part;
        if part.rows <> expected then
          said := array[format('%s: it would have %s rows and not %s, because a trigger or a foreign key changed others of its rows', it.full_name, part.rows, expected)];
          raise exception using errcode = 'DD002', message = said[1];
        end if;
        {{ dbtdeploy.postgres_hand_over_numbers() }}
        for part in select unnest(it.dropped) as action loop
          {{ dbtdeploy.postgres_alter_live("part.action || ' cascade'") }}
        end loop;
        {{ dbtdeploy.postgres_make_things('layout') }}
        if it.seed then
          {{ dbtdeploy.postgres_note_seed() }}
        else
          {{ dbtdeploy.postgres_keep_touched() }}
        end if;
        {{ dbtdeploy.postgres_follow_copy() }}
        at_work_on := null;
      end loop;
{% endmacro %}


{#
  Drops what reads a table whose columns change; `things` is made again afterwards. A view that this
  transaction moved away is not: a rollback makes it from its kept definition. What is left reads the
  table for a pull request: a dropped column takes it along.
#}
{% macro postgres_free_columns(relation) %}
          for layout in
            with recursive above(oid, depth) as (
              select {{ relation }}, 0
              union
              select w.ev_class, a.depth + 1 from above a join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.oid
                and d.classid = 'pg_rewrite'::regclass join pg_rewrite w on w.oid = d.objid where w.ev_class <> a.oid and a.depth < 64
            )
            select c.oid, c.relkind, max(a.depth) as depth from above a join pg_class c on c.oid = a.oid
            join pg_namespace n on n.oid = c.relnamespace where n.nspname = any (keeping) and c.relkind in ('v', 'm')
            group by 1, 2 order by 3 desc
          loop
            execute format('drop %s %s', case layout.relkind when 'm' then 'materialized view' else 'view' end, layout.oid::regclass);
          end loop;
          leaving := array[{{ relation }}];
          entering := '{}';
          {{ dbtdeploy.postgres_release_things() }}
          {{ dbtdeploy.postgres_drop_things('layout') }}
{% endmacro %}


{# A type for each set of columns that there was: the text of a logged row is read as one. #}
{% macro postgres_make_layouts() %}
        layouts := '{}';
        for part in execute format('select distinct layout, columns from %s where node = $1', logged) using it.node loop
          layouts := layouts || jsonb_build_object(part.layout, part.columns);
          if to_regtype(part.layout) is null then
            execute format('create type %s as (%s)', part.layout, (select string_agg(format('%I %s', c.name, c.type), ', ' order by c.number)
              from jsonb_to_recordset(part.columns) as c(number int, name text, type text)));
          end if;
        end loop;
{% endmacro %}


{# A change of type may rewrite the table: its rows keep their order, and are found again by it. #}
{% macro postgres_alter_columns() %}
        if cardinality(it.retyped) > 0 then
          perform set_config('synchronize_seqscans', 'off', true), set_config('max_parallel_workers_per_gather', '0', true);
          execute format('create table %I.%I as select row_number() over () as r, tableoid as of, ctid as live from %s',
            it.log_schema, 'order_' || it.node, it.full_name);
        end if;
        for part in select unnest(it.altered) as action loop
          {{ dbtdeploy.postgres_alter_live('part.action') }}
        end loop;
        if cardinality(it.retyped) > 0 and it.value -> 'files' <> {{ dbtdeploy.postgres_files('it.live') }} then
          execute format('update %1$s m set of = n.of, live = n.live, version = n.version from %2$I.%3$I o join'
            ' (select row_number() over () as r, tableoid as of, ctid as live, xmin as version from %4$s) n on n.r = o.r'
            ' where m.of = o.of and m.live = o.live', map, it.log_schema, 'order_' || it.node, it.full_name);
        end if;
{% endmacro %}


{% macro postgres_alter_live(action) %}
          begin
            execute format('alter table %s %s', it.full_name, {{ action }});
          exception
            when lock_not_available or deadlock_detected then
              raise;
            when others then
              get stacked diagnostics detail = pg_exception_detail;
              said := array[concat_ws(': ', it.full_name, {{ action }}, sqlerrm, nullif(replace(detail, chr(10), '; '), ''))];
              raise exception using errcode = 'DD002', message = said[1];
          end;
{% endmacro %}


{#
  Statements that touched no row: triggers for each statement fire all the same. A MERGE fires those of all
  that it could do, and then logs its rows under the last of them.
#}
{% macro postgres_steps_without_rows() %}
format('select * from (with s as (select statement, columns, left(op, 1) as op, row_number() over (order by statement) as k from %1$I.statements'
  ' where node = $1 and statement > %2$s and op in (''INSERT'', ''UPDATE'', ''DELETE'')),'
  ' did as (select distinct statement, op::text as op from %1$I.log where node = $1)'
  ' select s.statement, null::text, s.columns, s.op::"char", 0::bigint from s where not exists ('
  ' select from s o join did d using (statement) where d.op = s.op and (o.k = s.k or o.k in (s.k + 1, s.k + 2) and o.op <> d.op))) nothing',
  it.log_schema, it.emptied)
{% endmacro %}

{% macro postgres_apply_nothing() %}
            select coalesce(array_agg(quote_ident(a.attname) order by a.attnum), '{}') into named
              from jsonb_to_recordset(step.columns) as c(name text)
              join pg_attribute a on a.attrelid = it.live and a.attname = c.name and not a.attisdropped
              where a.attgenerated = '' and a.attidentity <> 'a';
            {{ dbtdeploy.postgres_sessions_path() }}
            if named <> '{}' then
              execute format(case step.op when 'I' then 'insert into %1$s (%2$s) select %2$s from %1$s where false'
                when 'D' then 'delete from %1$s where false' else 'update %1$s set %3$s where false' end,
                it.full_name, array_to_string(named, ', '), (select string_agg(format('%1$s = %1$s', c), ', ') from unnest(named) c));
            end if;
{% endmacro %}


{#
  All rows of one statement and one kind at once. A MERGE is done as an UPDATE and an INSERT, which touch
  different rows. A value that was drawn from a default, a number, a random or a time, is not drawn again: other
  staged tables may hold it, and it is the one that was tested.
#}
{% macro postgres_apply_step() %}
          if exists (select from jsonb_array_elements(step.columns) c where c ->> 'name' like '%\_\_dbt\_alter') then
            {# dbt changes a column's type row by row; here ALTER TABLE did it. #}
            execute format('update %s m set staged = g.after from %I.log g where g.node = $1 and g.statement = $2 and g.op = ''U'' and m.staged = g.before',
              map, it.log_schema) using it.node, step.statement;
            continue;
          end if;
          if step.rows = 0 then
            {{ dbtdeploy.postgres_apply_nothing() }}
            {{ dbtdeploy.postgres_empty_path() }}
            continue;
          end if;
          if step.op <> 'I' then
            execute format('insert into %I.%I select m.id, $3, g.old, m.of, m.live, m.version from %I.log g join %s m on m.staged = g.before'
              ' where g.node = $1 and g.statement = $2 and g.op = $4 on conflict (id) do nothing',
              it.log_schema, 'touched_' || it.node, it.log_schema, map) using it.node, step.statement, step.layout, step.op;
          end if;
          select coalesce(array_agg(quote_ident(a.attname) order by a.attnum), '{}') into named
            from jsonb_to_recordset(step.columns) as c(name text)
            join pg_attribute a on a.attrelid = it.live and a.attname = c.name and not a.attisdropped
            where a.attgenerated = '' and (step.op = 'I' or a.attidentity <> 'a');
          {{ dbtdeploy.postgres_sessions_path() }}
          if step.op = 'I' then
            execute format('with came as (select g.n, g.after, g.new::%1$s as new, row_number() over (order by g.n) as r from %2$I.log g'
              ' where g.node = $1 and g.statement = $2 and g.op = ''I''),'
              ' made as (insert into %3$s (%4$s) overriding system value select %5$s from (select new from came order by n) x returning tableoid as of, ctid as live),'
              ' numbered as (select row_number() over () as r, of, live from made),'
              ' noted as (insert into %6$s (id, of, live, version, staged) select -c.n, m.of, m.live, $3, c.after from came c join numbered m using (r) returning id)'
              ' insert into %2$I.%7$I (id) select id from noted',
              step.layout, it.log_schema, it.full_name, array_to_string(named, ', '),
              (select string_agg('(x.new).' || c, ', ') from unnest(named) c), map, 'touched_' || it.node)
              using it.node, step.statement, written;
          elsif step.op = 'D' then
            execute format('delete from %3$s l using %1$I.log g join %2$s m on m.staged = g.before'
              ' where g.node = $1 and g.statement = $2 and g.op = ''D'' and l.ctid = m.live and l.tableoid = m.of and l.xmin = m.version',
              it.log_schema, map, it.full_name) using it.node, step.statement;
          else
            if it.value -> 'updates' = 'null' then
              {# What the statement set is not known: those columns that it changed in any row. #}
              execute format('select array_remove(array[%s], null) from %I.log g where g.node = $1 and g.statement = $2 and g.op = ''U''',
                (select string_agg(format('case when bool_or((g.old::%1$s).%2$s::text is distinct from (g.new::%1$s).%2$s::text) then %2$L end', step.layout, c), ', ')
                  from unnest(named) c), it.log_schema) into changed using it.node, step.statement;
              named := case when changed = '{}' then named else changed end;
            elsif jsonb_array_length(it.value -> 'updates') > 0 then
              named := array(select c from unnest(named) c where c in (select quote_ident(a.attname) from jsonb_array_elements_text(it.value -> 'updates') u
                join pg_attribute a on a.attrelid = it.live and lower(a.attname) = lower(u) and not a.attisdropped));
            end if;
            execute format('with came as (select m.id, m.of, m.live, m.version, g.after, g.new::%1$s as new from %2$I.log g join %3$s m on m.staged = g.before'
              ' where g.node = $1 and g.statement = $2 and g.op = ''U''),'
              ' done as (update %4$s l set %5$s from came x where l.ctid = x.live and l.tableoid = x.of and l.xmin = x.version'
              ' returning x.id, x.after, l.tableoid as of, l.ctid as live)'
              ' update %3$s m set of = d.of, live = d.live, version = $3, staged = d.after from done d where m.id = d.id',
              step.layout, it.log_schema, map, it.full_name, (select string_agg(format('%1$s = (x.new).%1$s', c), ', ') from unnest(named) c))
              using it.node, step.statement, written;
          end if;
          get diagnostics counted = row_count;
          {{ dbtdeploy.postgres_empty_path() }}
          expected := expected + case step.op when 'I' then counted when 'D' then -counted else 0 end;
          if step.op = 'D' then
            execute format('delete from %s m using %I.log g where g.node = $1 and g.statement = $2 and g.op = ''D'' and m.staged = g.before',
              map, it.log_schema) using it.node, step.statement;
          end if;
          if counted <> step.rows then
            said := array[format('%s: of %s rows that the release %s, %s are as they were copied into staging; others wrote the rest since, or a policy, trigger or foreign key was at work',
              it.full_name, step.rows, case step.op when 'D' then 'deletes' when 'U' then 'updates' else 'inserts' end, counted)];
            raise exception using errcode = 'DD001', message = said[1];
          end if;
{% endmacro %}
