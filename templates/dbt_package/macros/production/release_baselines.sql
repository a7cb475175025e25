{#
  Production's rows, laid in staging under what dbt would write into: an incremental model, a snapshot, a seed.
  The copy never goes live. What dbt does to it is logged, and the swap does the same to the table that
  is live (release_in_place.sql). So that each logged row is found there again, without a key and
  among equal ones, the copy is made together with a map of row versions: (tableoid, ctid, xmin) there,
  ctid here.

  All that belongs to the log lies in a schema of its own, `job.log_schema`, which bears the mark of
  staging and goes with it.

  job: see release_prepare.sql
#}
{% macro postgres_lay_baselines(job) %}
  {% set block %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  log_schema constant name := job ->> 'log_schema';
  rows jsonb := '{}';
  source oid; copy oid; counted bigint; mapped bigint; node int := 0; numbers jsonb;
  names text;
  it record; part record; drawn record;
begin
  {{ dbtdeploy.postgres_refuse_untrusted_roles() }}
  perform from dbt_deploy.fence f where f.environment = job ->> 'environment' and f.project = job ->> 'project'
    and f.nonce = job ->> 'nonce';
  if not found then
    raise exception 'another run of this environment and project took over';
  end if;
  {{ dbtdeploy.postgres_drop_left_columns() }}
  delete from dbt_deploy.baselines b where b.environment = job ->> 'environment' and b.project = job ->> 'project'
    and (b.added = '[]' or b.release_id = job ->> 'release_id');
  perform set_config('lock_timeout', '60s', true);
  {# Both scans below shall come in the order of the rows. #}
  perform set_config('synchronize_seqscans', 'off', true),
    set_config('max_parallel_workers_per_gather', '0', true);
  if jsonb_array_length(job -> 'baselines') > 0 then
    if to_regclass(format('%I.log', log_schema)) is not null then
      execute format('drop schema %I cascade', log_schema);
      execute format('create schema %I', log_schema);
      execute format('comment on schema %I is %L', log_schema, job ->> 'mark');
      {{ dbtdeploy.postgres_close_schema('log_schema') }}
    end if;
    {{ dbtdeploy.postgres_make_log() }}
  end if;
  for it in select value, value ->> 'unique_id' as unique_id,
      format('%I.%I', value #>> '{staging,schema}', (value #>> '{staging,identifier}')::name) as target
      from jsonb_array_elements(job -> 'baselines') loop
    select c.oid into source from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = (it.value #>> '{production,schema}')::name and c.relname = (it.value #>> '{production,identifier}')::name
        and c.relkind in ('r', 'p');
    counted := null;
    numbers := '{}';
    for part in select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind
        from pg_class c where c.oid = to_regclass(it.target) loop
      execute format('drop %s %s', part.kind, it.target);
    end loop;
    if source is not null then
      node := node + 1;
      if (it.value ->> 'seed')::bool then
        {{ dbtdeploy.postgres_refuse_untruncatable() }}
      end if;
      {{ dbtdeploy.postgres_copy_baseline() }}
      {{ dbtdeploy.postgres_dress_baseline() }}
      insert into dbt_deploy.baselines (environment, project, release_id, unique_id, oid, copy, node, log_schema, rows, files, columns, catalog, numbers, added)
        values (job ->> 'environment', job ->> 'project', job ->> 'release_id', it.unique_id, source, copy, node, log_schema,
          counted, {{ dbtdeploy.postgres_files('source') }}, {{ dbtdeploy.postgres_columns('source') }},
          {{ dbtdeploy.postgres_catalog_of('copy') }}, numbers, '[]');
    end if;
    rows := rows || jsonb_build_object(it.unique_id, counted);
  end loop;
  {{ dbtdeploy.postgres_tell('rows') }}
end
  {% endset %}
  {{ return(dbtdeploy.postgres_do(job, block, plain=true, isolation='repeatable read')) }}
{% endmacro %}


{#
  Where triggers on the copies write. Rows are kept as text: a column of the table's own row type would
  keep dbt from altering the table. A statement notes which columns there were; its number is the one
  that its rows bear. Of a MERGE, whose triggers all come before its first row, it is the last one's.
#}
{% macro postgres_make_log() %}
  execute format($make$
create table %1$I.log (n bigint generated always as identity primary key, node int not null, statement bigint not null,
  op "char" not null, before tid, after tid, old text, new text);
create table %1$I.statements (statement bigint generated always as identity primary key, node int not null, op text not null,
  columns jsonb not null);
create function %1$I.begin_statement() returns trigger language plpgsql security definer set search_path = '' as $body$
declare
  number bigint;
begin
  insert into %1$I.statements (node, op, columns)
    select tg_argv[0]::int, tg_op, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('number', a.attnum, 'name', a.attname,
        'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) order by a.attnum)
      from pg_catalog.pg_attribute a where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped
    returning statement into number;
  perform set_config('dbt_deploy.statement', number::text, true);
  return null;
end $body$;
create function %1$I.log_row() returns trigger language plpgsql security definer set search_path = ''
  set datestyle = 'ISO, MDY' set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex' as $body$
begin
  insert into %1$I.log (node, statement, op, before, after, old, new)
    values (tg_argv[0]::int, current_setting('dbt_deploy.statement')::bigint, left(tg_op, 1)::"char",
      case when tg_op <> 'INSERT' then old.ctid end, case when tg_op <> 'DELETE' then new.ctid end,
      case when tg_op <> 'INSERT' then old::text end, case when tg_op <> 'DELETE' then new::text end);
  return null;
end $body$;
$make$, log_schema);
{% endmacro %}


{#
  Without what a copy cannot share: production's sequences, its place in a publication (an unlogged
  table is in none), its triggers and policies. A partitioned table's copy is a plain one.
#}
{% macro postgres_copy_baseline() %}
      for part in
        with recursive family(oid) as (
          select source union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
        )
        select format('%I.%I', n.nspname, c.relname) as name from family f join pg_class c on c.oid = f.oid
        join pg_namespace n on n.oid = c.relnamespace left join pg_am m on m.oid = c.relam
        where c.relkind not in ('r', 'p') or c.relkind = 'r' and (m.amname <> 'heap' or not c.relispartition and c.oid <> source)
      loop
        raise exception '% cannot be copied row by row: it is a foreign table, inherits, or is not stored as a heap', part.name;
      end loop;
      for part in select w.rulename, source::regclass as name from pg_rewrite w
          where w.ev_class = source and w.rulename <> '_RETURN' and w.ev_type in ('2', '3') and w.ev_enabled <> 'D' loop
        raise exception '% has the rule %, which may change what is written; a release cannot repeat a build there. Set `meta: {dbt_deploy: {method: direct}}`, or make it a trigger',
          part.name, quote_ident(part.rulename);
      end loop;
      {{ dbtdeploy.postgres_refuse_hidden_rows() }}
      execute format('create unlogged table %s (like %s including all excluding defaults excluding identity excluding indexes'
        ' excluding statistics) with (autovacuum_enabled = false)', it.target, source::regclass);
      copy := to_regclass(it.target);
      select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into names from pg_attribute a
        where a.attrelid = source and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
      if names is null then
        raise exception '% has no column', source::regclass;
      end if;
      {{ dbtdeploy.postgres_sessions_path() }}
      execute format('insert into %s (%s) select %s from %s', it.target, names, names,
        format('%I.%I', it.value #>> '{production,schema}', (it.value #>> '{production,identifier}')::name));
      get diagnostics counted = row_count;
      {{ dbtdeploy.postgres_empty_path() }}
      execute format('create unlogged table %I.%I as'
        ' select l.r as id, l.tableoid as of, l.ctid as live, l.xmin as version, s.ctid as staged'
        ' from (select row_number() over () as r, tableoid, ctid, xmin from %s) l'
        ' join (select row_number() over () as r, ctid from %s) s on s.r = l.r',
        log_schema, 'map_' || node, source::regclass, it.target);
      get diagnostics mapped = row_count;
      if mapped <> counted then
        raise exception '% was read as % rows and as % rows in one snapshot', source::regclass, counted, mapped;
      end if;
{% endmacro %}


{#
  A policy that hides rows would have them missing from the copy. PostgreSQL itself refuses where one applies; it is let
  pass where each that applies is `true`, and rows of every command are allowed.
#}
{% macro postgres_refuse_hidden_rows() %}
      perform set_config('row_security', 'on', true);
      if row_security_active(source) and not {{ dbtdeploy.postgres_policies_allow_all('source') }} then
        raise exception 'the row level security of % applies to the role %, by FORCE or because the role is not the owner, and the rows that a policy hides from it would be lost. Run as the owner: ALTER TABLE % NO FORCE ROW LEVEL SECURITY, or give the role BYPASSRLS, or let each policy that applies to it be USING (true) WITH CHECK (true)',
          source::regclass, quote_ident(current_user), source::regclass;
      end if;
      perform set_config('row_security', case when row_security_active(source) then 'on' else 'off' end, true);
{% endmacro %}

{% macro postgres_policies_allow_all(relation) %}
(select coalesce(bool_and('true' = all (array[coalesce(pg_get_expr(q.polqual, q.polrelid), 'true'), coalesce(pg_get_expr(q.polwithcheck, q.polrelid), 'true')])), false)
    and (bool_or(q.polpermissive and q.polcmd = '*') or count(distinct q.polcmd) filter (where q.polpermissive) = 4)
  from pg_policy q where q.polrelid = {{ relation }} and exists (select from unnest(q.polroles) r(oid) where r.oid = 0 or pg_has_role(r.oid, 'usage')))
{% endmacro %}


{#
  Defaults, numbers, indexes and constraints by their own names, statistics, and at last the triggers.
  Numbers go on from where production's stand, and leave these alone.
#}
{% macro postgres_dress_baseline() %}
      for part in
        select a.attnum, a.attname, a.attidentity, pg_get_expr(d.adbin, d.adrelid) as expression, q.*
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        left join lateral (
          select s.oid as sequence, format('%I.%I', log_schema, 'numbers_' || s.oid) as numbers,
            format('create sequence if not exists %I.%I as %s increment by %s minvalue %s maxvalue %s %s', log_schema, 'numbers_' || s.oid,
              format_type(p.seqtypid, null), p.seqincrement, p.seqmin, p.seqmax, case when p.seqcycle then 'cycle' else 'no cycle' end) as make
          from pg_depend x join pg_class s on s.relkind = 'S' and s.oid = case x.classid when 'pg_class'::regclass then x.objid else x.refobjid end
          join pg_sequence p on p.seqrelid = s.oid
          where x.classid = 'pg_class'::regclass and x.refclassid = 'pg_class'::regclass and x.refobjid = source
              and x.refobjsubid = a.attnum and x.deptype = 'i' and a.attidentity <> ''
            or x.classid = 'pg_attrdef'::regclass and x.objid = d.oid and x.refclassid = 'pg_class'::regclass
        ) q on true
        where a.attrelid = source and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
          and (a.attidentity <> '' or d.oid is not null)
        order by a.attnum
      loop
        if part.sequence is not null then
          execute part.make;
          execute format('select setval(%L, last_value, is_called), jsonb_build_array(last_value, is_called) as stands from %s',
            part.numbers, part.sequence::regclass) into drawn;
          numbers := numbers || jsonb_build_object(part.sequence::text, drawn.stands);
          part.expression := case when part.attidentity <> '' then format('nextval(%L::regclass)', part.numbers)
            else replace(part.expression, quote_literal(part.sequence::regclass), quote_literal(part.numbers)) end;
        end if;
        if part.attidentity = 'a' then
          execute format('alter table %s alter column %I add generated always as identity', it.target, part.attname);
          execute format('select setval(pg_get_serial_sequence(%L, %L), last_value, is_called) from %s', it.target, part.attname, part.numbers);
        else
          execute format('alter table %s alter column %I set default %s', it.target, part.attname, part.expression);
        end if;
      end loop;
      for part in
        select 1 as step, format('alter table %s add constraint %I %s', it.target, k.conname, pg_get_constraintdef(k.oid)) as statement
        from pg_constraint k where k.conrelid = source and k.contype in ('p', 'u', 'x')
        union all
        select 2, {{ dbtdeploy.postgres_index_on('x.indexrelid', "(it.value #>> '{staging,schema}')", "(it.value #>> '{staging,identifier}')::name") }}
        from pg_index x where x.indrelid = source and x.indisvalid
          and not exists (select from pg_constraint k where k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x'))
        union all
        select 3, format('analyze %s', it.target)
        union all
        select 4, format('create trigger dbt_deploy_statement before insert or update or delete or truncate on %s'
          ' for each statement execute function %I.begin_statement(%s)', it.target, log_schema, node)
        union all
        select 5, format('create trigger dbt_deploy_row after insert or update or delete on %s'
          ' for each row execute function %I.log_row(%s)', it.target, log_schema, node)
        order by step
      loop
        execute part.statement;
      end loop;
{% endmacro %}


{#
  An index as a statement that makes one of the same name on another table: pg_get_indexdef begins with
  names, which are known, and goes on with what stays (`get_indexdef` in PostgreSQL's ruleutils.c).
#}
{% macro postgres_index_on(index, schema, table) %}
(select format('create %sindex %I on %I.%I %s', u.word, i.relname, {{ schema }}, {{ table }},
    substr(pg_get_indexdef(i.oid), 1 + length(format('CREATE %sINDEX %I ON %s%I.%I ', upper(u.word), i.relname,
      case i.relkind when 'I' then 'ONLY ' end, n.nspname, t.relname))))
  from pg_class i join pg_index g on g.indexrelid = i.oid join pg_class t on t.oid = g.indrelid
  join pg_namespace n on n.oid = t.relnamespace cross join lateral (select case when g.indisunique then 'unique ' else '' end as word) u
  where i.oid = {{ index }})
{% endmacro %}


{# What of a table is made anew when its rows are: of each partition, its file. #}
{% macro postgres_files(relation) %}
(with recursive family(oid) as (
    select {{ relation }}::oid union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
  )
  select jsonb_object_agg(f.oid::text, pg_relation_filenode(f.oid)) from family f)
{% endmacro %}

{# Since there were those files. A partition that was added is no rewrite: its rows are others'. #}
{% macro postgres_rewritten(files, relation) %}
exists (select from jsonb_each({{ files }}) as o(part, file) join jsonb_each({{ dbtdeploy.postgres_files(relation) }}) as n(part, file) using (part)
  where o.file <> n.file)
{% endmacro %}

{# Those that are no longer there, by name; null where all are. #}
{% macro postgres_partitions_gone(files, relation) %}
(select string_agg(coalesce(c.oid::regclass::text, 'one that was dropped'), ', ' order by c.oid) from jsonb_object_keys({{ files }}) as o(part)
  left join pg_class c on c.oid = o.part::oid where not {{ dbtdeploy.postgres_files(relation) }} ? o.part)
{% endmacro %}



{#
  What a hook may change of a table, besides its columns, grants and comments, by kind and name. Our own
  triggers are in it too: where they are switched off, the log is not whole.
#}
{% macro postgres_catalog_of(relation) %}
(select coalesce(jsonb_object_agg(p.kind || ' ' || p.name, p.definition), '{}') from (
    select 'constraint' as kind, k.conname as name, pg_get_constraintdef(k.oid) as definition
    from pg_constraint k where k.conrelid = {{ relation }} and k.contype <> 'n'
    union all
    select 'trigger', g.tgname, concat(g.tgenabled, ' ', pg_get_triggerdef(g.oid)) from pg_trigger g where g.tgrelid = {{ relation }} and not g.tgisinternal
    union all
    select 'policy', p.polname, concat(p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid), ' ', pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_policy p where p.polrelid = {{ relation }}
    union all
    select 'rule', w.rulename, pg_get_ruledef(w.oid) from pg_rewrite w where w.ev_class = {{ relation }}
    union all
    select 'statistics', x.stxname, pg_get_statisticsobjdef(x.oid) from pg_statistic_ext x where x.stxrelid = {{ relation }}
    union all
    select 'index', i.relname, pg_get_indexdef(i.oid) from pg_index x join pg_class i on i.oid = x.indexrelid where x.indrelid = {{ relation }}
      and not exists (select from pg_constraint k where k.conindid = i.oid)
    union all
    select 'column', a.attnum::text, json_build_array(a.attname, a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid),
      a.attstattarget, a.attstorage, a.attacl::text)::text from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = {{ relation }} and a.attnum > 0 and not a.attisdropped
    union all
    select 'replica identity', '', concat(c.relreplident, (select x.indexrelid::regclass from pg_index x where x.indrelid = c.oid and x.indisclustered))
    from pg_class c where c.oid = {{ relation }}
    union all
    select 'rights', '', c.relacl::text from pg_class c where c.oid = {{ relation }}
    union all
    select 'row level security', '', concat(c.relrowsecurity, c.relforcerowsecurity) from pg_class c where c.oid = {{ relation }}
    union all
    select 'owner', '', pg_get_userbyid(c.relowner)::text from pg_class c where c.oid = {{ relation }}
    union all
    select 'storage', '', array_to_string(c.reloptions, ' ') from pg_class c where c.oid = {{ relation }}
  ) p)
{% endmacro %}
