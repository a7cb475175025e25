{#
  Brings the staged relations of a release live, in one transaction, or changes nothing.

  job:
    token, quote
    environment, project, nonce, release_id, tag, commit_sha, released_by, run_url
    tries          how often to try for the locks
    reader_wait_ms how long readers may wait for each try
    mark           comment of the keeping schemas
    staging_line   first line of the comment of the staging schemas
    known          full names of what was known to hang on production
    pairs          [{unique_id, name, method, schema, identifier, staging_schema, staging_identifier, keep,
                     carries, keys, updates, seed, expected_oid, expected_columns, managed, rows_before, rows_after, seconds}]
    usable         {schema: [role]} who may use a schema that the swap makes
    removed        [{unique_id, database, schema, identifier}] of nodes that left the project
  answer: see `Swapped` in scripts/dbtdeploy/warehouse/release_macro_types.py
#}
{% macro release_swap(job) %}
  {{ return(adapter.dispatch('release_swap', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__release_swap(job) %}
  {{ dbtdeploy.no_macro('release_swap') }}
{% endmacro %}

{% macro postgres__release_swap(job) %}
  {{ dbtdeploy.postgres_itself('release_swap') }}
  {% if not dbtdeploy.postgres_own_schema_refused(job) %}
    {% set proven = fromjson(dbtdeploy.postgres_do(job, dbtdeploy.postgres_proofs_block(), plain=true)) %}
    {% do dbtdeploy.postgres_add_new_columns(job, proven.wider) %}
    {% do dbtdeploy.postgres_do(dict(job, proofs=proven.proofs or {}), dbtdeploy.postgres_swap_block()) %}
    {% set answer = dbtdeploy.postgres_validate_foreign_keys(job) %}
    {% do dbtdeploy.postgres_drop_new_columns(job, proven.wider) %}
    {% do print(job.token ~ answer) %}
  {% endif %}
{% endmacro %}


{#
  First rows are changed in the tables that dbt writes into, which keeps only writers waiting; then all
  that readers wait for is locked and done, in a subtransaction of its own. A try that cannot have its
  locks is undone with that, and made again a little later: the rows before it stay written, their
  writers waiting, and another run may take over in between. Old relations go out first, so that the
  staged ones find their names free.
#}
{% macro postgres_swap_block() %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  pairs jsonb; changes jsonb; layouts jsonb;
  leaving oid[]; entering oid[]; reshaping oid[];
  things jsonb; newer jsonb; stays jsonb; plain jsonb; ahead jsonb; checked jsonb; asides text[]; later text[];
  said text[] := '{}'; repointed text[]; at_work_on text; left_behind text[]; keeping text[]; kept_first text[];
  map text; logged text; detail text; named text[]; changed text[]; counted bigint; expected bigint; written xid; cascades jsonb;
  it record; part record; step record; layout record;
  outcome text; began timestamptz; swapped_at timestamptz;
  patience timestamptz; waits_for oid; tries int := 0;
begin
  while tries < (job ->> 'tries')::int loop
    tries := tries + 1;
    began := clock_timestamp();
    keeping := '{}';
    repointed := '{}';
    left_behind := '{}';
    begin
      perform set_config('lock_timeout', '5s', true);
      {{ dbtdeploy.postgres_swap_may() }}
      {{ dbtdeploy.postgres_find_changes() }}
      {{ dbtdeploy.postgres_refuse_taken_names("select value ->> 'keep' from jsonb_array_elements(changes)") }}
      {{ dbtdeploy.postgres_refuse_what_no_log_shows() }}
      {{ dbtdeploy.postgres_lock_changes() }}
      {{ dbtdeploy.postgres_refuse_another_live() }}
      {{ dbtdeploy.postgres_apply_changes(late=false) }}
      {{ dbtdeploy.postgres_find_pairs() }}
      {{ dbtdeploy.postgres_build_ahead() }}
      kept_first := keeping;
      while outcome is distinct from 'done' loop
        began := clock_timestamp();
        begin
          {{ dbtdeploy.postgres_swap_what_readers_wait_for() }}
          outcome := 'done';
        exception when lock_not_available or deadlock_detected then
          {# Without rows or views to keep, a new try of all of it lets go of everything. #}
          if changes = '[]' and ahead = '{}' or tries = (job ->> 'tries')::int then
            raise;
          end if;
          tries := tries + 1;
          keeping := kept_first;
          repointed := '{}';
          left_behind := '{}';
          perform pg_sleep(0.3 + 0.9 * random());
        end;
      end loop;
      exit;
    {{ dbtdeploy.postgres_release_endings() }}
  end loop;
  {{ dbtdeploy.postgres_tell("jsonb_build_object('outcome', outcome, 'detail', said, 'attempts', tries,"
    ~ " 'seconds', extract(epoch from clock_timestamp() - began), 'at', case when outcome = 'done' then swapped_at end,"
    ~ " 'repointed', case when outcome = 'done' then repointed else '{}' end,"
    ~ " 'left_behind', case when outcome = 'done' then left_behind else '{}' end)") }}
end
{% endmacro %}


{# The part that is tried until its locks are had. #}
{% macro postgres_swap_what_readers_wait_for() %}
          perform set_config('lock_timeout', '5s', true);
          {{ dbtdeploy.postgres_lock_place() }}
          {{ dbtdeploy.postgres_swap_may() }}
          {{ dbtdeploy.postgres_find_pairs() }}
          {{ dbtdeploy.postgres_find_reshaped() }}
          {{ dbtdeploy.postgres_lock_what_moves() }}
          {{ dbtdeploy.postgres_refuse_changes() }}
          {{ dbtdeploy.postgres_refuse_lost_rows() }}
          {{ dbtdeploy.postgres_with_partitions('leaving') }}
          {{ dbtdeploy.postgres_with_partitions('entering') }}
          {{ dbtdeploy.postgres_carried() }}
          {{ dbtdeploy.postgres_swap_move() }}
          {{ dbtdeploy.postgres_hand_over_sequences() }}
          {{ dbtdeploy.postgres_run_later() }}
          {{ dbtdeploy.postgres_repoint() }}
          newer := things;
          {{ dbtdeploy.postgres_bring_functions() }}
          {{ dbtdeploy.postgres_apply_changes(late=true) }}
          {{ dbtdeploy.postgres_read_live_instead() }}
          said := array(select format('%s %s is newer than the plan; it was repointed too', value ->> 'kind', value ->> 'name')
            from jsonb_array_elements(newer) where not job -> 'known' ? (value ->> 'name'));
          {{ dbtdeploy.postgres_drop_empty_staging() }}
          leaving := array(select (value ->> 'old')::oid from jsonb_array_elements(pairs) where value ->> 'old' is not null);
          {{ dbtdeploy.postgres_with_partitions('leaving') }}
          {{ dbtdeploy.postgres_let_go_of_production() }}
          {{ dbtdeploy.postgres_note_attached() }}
          {{ dbtdeploy.postgres_swap_rows() }}
          perform set_config('dbt_deploy.validate', (select coalesce(json_agg(k.oid::bigint), '[]') from jsonb_each(checked) c
            join pg_constraint k on k.conrelid = (c.value ->> 'holder')::oid and k.conname = c.value ->> 'constraint' and not k.convalidated)::text, false);
{% endmacro %}


{# Not by a run that another took over from, and not twice. #}
{% macro postgres_swap_may() %}
      {{ dbtdeploy.postgres_refuse_untrusted_roles() }}
      perform from dbt_deploy.fence f where f.environment = job ->> 'environment' and f.project = job ->> 'project'
        and f.nonce = job ->> 'nonce';
      if not found then
        raise exception 'the fence in dbt_deploy.fence is another run''s' using errcode = 'DD003';
      end if;
      select r.swapped_at into swapped_at from dbt_deploy.releases r where r.environment = job ->> 'environment'
        and r.project = job ->> 'project' and r.release_id = job ->> 'release_id' and r.state = 'live';
      if found then
        said := array['it was live before'];
        raise exception using errcode = 'DD004';
      end if;
{% endmacro %}


{# `pairs`, those that are not changed in place, with the oids of what is live and what is staged. #}
{% macro postgres_find_pairs() %}
      select coalesce(jsonb_agg(p.value || jsonb_build_object('n', p.n, 'old', o.oid::bigint, 'new', s.oid::bigint,
          'full_name', format('%I.%I', p.value ->> 'schema', p.value ->> 'identifier')) order by p.n), '[]'),
        coalesce(array_agg(o.oid) filter (where o.oid is not null), '{}'),
        coalesce(array_agg(s.oid) filter (where s.oid is not null), '{}')
      into pairs, leaving, entering
      from (select value, n from jsonb_array_elements(job -> 'pairs') with ordinality j(value, n)
        where value ->> 'unique_id' not in (select c ->> 'unique_id' from jsonb_array_elements(changes) c)) p
      left join pg_namespace a on a.nspname = (p.value ->> 'schema')::name
      left join pg_class o on o.relnamespace = a.oid and o.relname = (p.value ->> 'identifier')::name
      left join pg_namespace b on b.nspname = (p.value ->> 'staging_schema')::name
      left join pg_class s on s.relnamespace = b.oid and s.relname = (p.value ->> 'staging_identifier')::name;
{% endmacro %}


{# Under the locks: production is what the plan was made for, and staging is this release's. #}
{% macro postgres_refuse_changes() %}
      select array_agg(line order by n) into said from (
        select (value ->> 'n')::int as n, value ->> 'full_name' || case
          when value ->> 'new' is null then format(': the staged relation %I.%I is gone', value ->> 'staging_schema', value ->> 'staging_identifier')
          when b.oid is null then format(': %I is no staging schema of this release', value ->> 'staging_schema')
          when value ->> 'expected_oid' is null and value ->> 'old' is not null then ' is there now; it was not when the plan was made'
          when value ->> 'old' is null and value ->> 'expected_oid' is not null then ' is gone since the plan was made'
          when value ->> 'expected_oid' <> value ->> 'old' then ' was made anew since the plan was made'
          when o.oid is not null and not pg_has_role(o.relowner, 'usage') then ' belongs to ' || pg_get_userbyid(o.relowner)
          when value -> 'expected_columns' <> '[]' then {{ dbtdeploy.postgres_columns_differ("value -> 'expected_columns'", 'o.oid') }}
        end as line
        from jsonb_array_elements(pairs)
        left join pg_class o on o.oid = (value ->> 'old')::oid
        left join pg_namespace b on b.nspname = (value ->> 'staging_schema')::name
          and split_part(obj_description(b.oid, 'pg_namespace'), chr(10), 1) = job ->> 'staging_line'
      ) found where line is not null;
      if said is not null then
        raise exception using errcode = 'DD001', message = said[1];
      end if;
{% endmacro %}

{# Null where they do not. #}
{% macro postgres_columns_differ(expected, relation) %}
(select ': ' || string_agg(case when f.name is null then format('column %I (%s) is gone', e.name, e.type)
      when e.name is null then format('column %I (%s) is new', f.name, f.type)
      else format('column %I was %s and is %s', e.name, e.type, f.type) end, ', ' order by coalesce(e.name, f.name))
  from jsonb_to_recordset({{ expected }}) as e(name text, type text)
  full join jsonb_to_recordset({{ dbtdeploy.postgres_columns(relation) }}) as f(name text, type text) on f.name = e.name
  where e.type is distinct from f.type)
{% endmacro %}


{#
  `later`: what the new relation takes over from the old one, as statements in production's names.
  A privilege that the node's config names is the config's alone. A dropped table would have lost its
  policies, and everybody could read all of it; parts of a table that dbt only alters stay, too.
#}
{% macro postgres_carried() %}
      with pair as (
        select p.*, o.relowner as old_owner, s.relowner as new_owner, o.relacl as acl, s.relkind as kind,
          a.oid as namespace, o.relrowsecurity as secured, o.relforcerowsecurity as forced
        from jsonb_to_recordset(pairs) as p(n int, full_name text, schema text, old bigint, new bigint, managed text[], carries bool)
        join pg_class s on s.oid = p.new::oid
        join pg_namespace a on a.nspname = p.schema::name
        left join pg_class o on o.oid = p.old::oid
      ), wanted_grants as (
        select p.n, p.full_name, p.new_owner, p.managed, g.grantee, g.privilege_type, g.is_grantable, null::name as of_column
        from pair p cross join lateral aclexplode(coalesce(p.acl, acldefault('r', p.old_owner))) g
        where p.old is not null
        union
        select p.n, p.full_name, p.new_owner, p.managed, g.grantee, g.privilege_type, g.is_grantable, null
        from pair p join pg_default_acl d on d.defaclobjtype = 'r' and d.defaclnamespace = p.namespace and d.defaclrole = p.new_owner
        cross join lateral aclexplode(d.defaclacl) g
        union
        select p.n, p.full_name, p.new_owner, p.managed, g.grantee, g.privilege_type, g.is_grantable, c.attname
        from pair p join pg_attribute c on c.attrelid = p.old::oid and c.attacl is not null and not c.attisdropped
        join pg_attribute s on s.attrelid = p.new::oid and s.attname = c.attname and not s.attisdropped
        cross join lateral aclexplode(c.attacl) g
      ), parts as (
        select p.*, x.* from pair p cross join lateral (
          select 'pg_policy'::regclass::oid as classid, q.oid as objid from pg_policy q where q.polrelid = p.old::oid
            and not exists (select from pg_policy h where h.polrelid = p.new::oid and h.polname = q.polname)
          union all
          select 'pg_constraint'::regclass, k.oid from pg_constraint k where p.carries and k.conrelid = p.old::oid
            and k.contype = 'f' and k.conparentid = 0
            and not exists (select from pg_constraint h where h.conrelid = p.new::oid and h.conname = k.conname)
          union all
          select 'pg_rewrite'::regclass, w.oid from pg_rewrite w where p.carries and w.ev_class = p.old::oid and w.rulename <> '_RETURN'
            and not exists (select from pg_rewrite h where h.ev_class = p.new::oid and h.rulename = w.rulename)
          union all
          select 'pg_trigger'::regclass, g.oid from pg_trigger g where p.carries and g.tgrelid = p.old::oid and not g.tgisinternal
            and not exists (select from pg_trigger h where h.tgrelid = p.new::oid and h.tgname = g.tgname)
        ) x where p.kind in ('r', 'p')
      )
      select coalesce(array_agg(statement order by n, step, statement), '{}') into later from (
        select g.n, 1 as step, format('grant %s%s on table %s to %s%s', g.privilege_type, ' (' || quote_ident(g.of_column) || ')',
          g.full_name, case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end,
          case when g.is_grantable then ' with grant option' else '' end) as statement
        from wanted_grants g where g.grantee <> g.new_owner and g.privilege_type <> all (g.managed)
        union all
        select p.n, 2, format('alter table %s %s row level security', p.full_name, m.how)
        from pair p cross join lateral (values ('enable', p.secured), ('force', p.forced)) m(how, so)
        where p.kind in ('r', 'p') and m.so
        union all
        select t.n, 3, unnest({{ dbtdeploy.postgres_make_part() }}) from parts t
      ) s;
{% endmacro %}

{% macro postgres_run_later() %}
      for it in select unnest(later) as statement loop
        {{ dbtdeploy.postgres_make_or_say('jsonb_build_array(it.statement)', 'it.statement') }}
      end loop;
{% endmacro %}


{# The first release of a project, or of a custom schema, finds no schema to go to. #}
{% macro postgres_swap_move() %}
      for it in select distinct value ->> 'schema' as name from jsonb_array_elements(pairs)
          where not exists (select from pg_namespace n where n.nspname = (value ->> 'schema')::name) order by 1 loop
        execute format('create schema %I', it.name);
        {# Those whom a hook let use the schema in staging may use it, too. #}
        for part in
          select case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end as role
          from pg_namespace n cross join lateral aclexplode(n.nspacl) g
          where g.privilege_type = 'USAGE' and g.grantee <> n.nspowner and n.nspname in (
            select value ->> 'staging_schema' from jsonb_array_elements(pairs) where value ->> 'schema' = it.name)
          union
          select case u.role when 'public' then u.role else quote_ident(u.role) end
          from jsonb_array_elements_text(job -> 'usable' -> it.name) u(role)
          where u.role = 'public' or exists (select from pg_roles r where r.rolname = u.role)
        loop
          execute format('grant usage on schema %I to %s', it.name, part.role);
        end loop;
      end loop;
      {{ dbtdeploy.postgres_refuse_schemas_of_others("select value ->> 'schema' from jsonb_array_elements(pairs)") }}
      {{ dbtdeploy.postgres_refuse_taken_names("select value ->> 'keep' from jsonb_array_elements(pairs) where value ->> 'old' is not null and value ->> 'keep' <> all (keeping)") }}
      for it in select distinct value ->> 'keep' as name from jsonb_array_elements(pairs) where value ->> 'old' is not null order by 1 loop
        {{ dbtdeploy.postgres_make_keeping('it.name') }}
      end loop;
      for it in select (value ->> 'old')::oid as moved, value ->> 'keep' as name
        from jsonb_array_elements(pairs) where value ->> 'old' is not null loop
        {{ dbtdeploy.postgres_move('it.moved', 'it.name') }}
      end loop;
      for it in select (value ->> 'new')::oid as moved, value ->> 'schema' as name, value ->> 'identifier' as identifier
        from jsonb_array_elements(pairs) loop
        {{ dbtdeploy.postgres_move('it.moved', 'it.name', renamed='it.identifier') }}
      end loop;
{% endmacro %}


{#
  What is left in one, such as rows that a test stored, stays for the next release's prepare. The owner of a
  schema can give it any comment, so one of another role is nobody's staging.
#}
{% macro postgres_drop_empty_staging() %}
      for it in select n.nspname as name from pg_namespace n where pg_has_role(n.nspowner, 'usage')
          and split_part(obj_description(n.oid, 'pg_namespace'), chr(10), 1) = job ->> 'staging_line' loop
        begin
          execute format('drop schema %I', it.name);
        exception when dependent_objects_still_exist then
          null;
        end;
      end loop;
{% endmacro %}


{#
  What hangs on the old relations is dropped and made again by name: what is outside the release, and of what was
  staged that which named production's relation or hangs on it by way of something outside. Old relations are in
  keeping schemas now, whose names nobody can have written anywhere, so each mention of one in a definition is
  one of an old relation. A view of a node that left the project, and that fits no more, stays on the kept relations.
#}
{% macro postgres_repoint() %}
      {{ dbtdeploy.postgres_release_things() }}
      stays := things;
      for it in select format('%I.', value ->> 'keep') as kept, format('%I.', value ->> 'schema') as live
          from jsonb_array_elements(pairs) where value ->> 'old' is not null group by 1, 2 order by length(format('%I.', value ->> 'keep')) desc loop
        things := replace(things::text, {{ dbtdeploy.postgres_in_json('it.kept') }}, {{ dbtdeploy.postgres_in_json('it.live') }})::jsonb;
      end loop;
      {{ dbtdeploy.postgres_refuse_stale_ahead() }}
      {{ dbtdeploy.postgres_drop_things(things='stays') }}
      for it in select t.value, t.value ->> 'name' as name, t.value ->> 'kind' as kind, case when exists (
            select from jsonb_array_elements(job -> 'removed') r
            where r ->> 'schema' = t.value ->> 'schema' and r ->> 'identifier' = t.value ->> 'identifier')
          then s.value -> 'statements' end as kept_statements
          from jsonb_array_elements(things) with ordinality t(value, n) join jsonb_array_elements(stays) with ordinality s(value, n) using (n)
          order by n loop
        begin
          if ahead ? it.name then
            {{ dbtdeploy.postgres_bring_ahead() }}
          else
            {{ dbtdeploy.postgres_make_or_say("case when checked ? it.name then jsonb_build_array((it.value #>> '{statements,0}') || ' not valid') else it.value -> 'statements' end", "it.kind || ' ' || it.name") }}
          end if;
          repointed := repointed || array(select it.name where not (it.value ->> 'staged')::bool);
        exception when sqlstate 'DD002' then
          if it.kept_statements is null then
            raise;
          end if;
          {{ dbtdeploy.postgres_make_or_say("it.kept_statements", "it.kind || ' ' || it.name") }}
          left_behind := left_behind || it.name;
        end;
      end loop;
      {{ dbtdeploy.postgres_drop_asides() }}
      things := (select coalesce(jsonb_agg(value), '[]') from jsonb_array_elements(things) where not (value ->> 'staged')::bool);
{% endmacro %}


{# What the warehouse remembers of it. A relation that is in use again is no removed one. #}
{% macro postgres_swap_rows() %}
      swapped_at := clock_timestamp();
      insert into dbt_deploy.releases (release_id, environment, project, tag, commit_sha, nonce, state, swapped_at, released_by, run_url)
        values (job ->> 'release_id', job ->> 'environment', job ->> 'project', job ->> 'tag', job ->> 'commit_sha',
                job ->> 'nonce', 'live', swapped_at, job ->> 'released_by', job ->> 'run_url');
      insert into dbt_deploy.dbt_deployments
        select job ->> 'release_id', job ->> 'tag', job ->> 'environment', job ->> 'project', p.unique_id, p.name, p.method,
          p.rows_before, p.rows_after, p.seconds, job ->> 'commit_sha', job ->> 'released_by', swapped_at
        from jsonb_to_recordset(job -> 'pairs') as p(unique_id text, name text, method text, rows_before bigint, rows_after bigint, seconds double precision);
      insert into dbt_deploy.dbt_model_row_counts
        select job ->> 'environment', job ->> 'project', p.unique_id, p.name, p.rows_after, swapped_at, job ->> 'release_id'
        from jsonb_to_recordset(job -> 'pairs') as p(unique_id text, name text, rows_after bigint) where p.rows_after is not null;
      update dbt_deploy.baselines b set added = '[]' where b.environment = job ->> 'environment' and b.project = job ->> 'project'
        and b.release_id = job ->> 'release_id' and b.added <> '[]';
      delete from dbt_deploy.changed_tables t where not exists (select from pg_class c where c.oid = t.kept::oid);
      delete from dbt_deploy.removed_models m using jsonb_to_recordset(job -> 'pairs') as p(schema text, identifier text)
        where m.environment = job ->> 'environment' and m.project = job ->> 'project'
          and m.schema = p.schema and m.identifier = p.identifier;
      insert into dbt_deploy.removed_models
        select job ->> 'environment', job ->> 'project', r.unique_id, r.database, r.schema, r.identifier, c.oid::bigint, swapped_at, job ->> 'release_id'
        from jsonb_to_recordset(job -> 'removed') as r(unique_id text, database text, schema text, identifier text)
        join pg_namespace n on n.nspname = r.schema::name
        join pg_class c on c.relnamespace = n.oid and c.relname = r.identifier::name
        on conflict (environment, project, schema, identifier) do nothing;
{% endmacro %}


{#
  Functions that a hook made in staging, `{{ target.schema }}.f()`, are made in production as a build there would make
  them, and staged views call those. Names of staging schemas stand in no text but by what the build rendered.
#}
{% macro postgres_bring_functions() %}
      for it in
        select f.oid, f.proname, format('%I.', n.nspname) as staged, format('%I.', home.schema) as live, home.schema,
          to_regprocedure(format('%I.%I(%s)', home.schema, f.proname, oidvectortypes(f.proargtypes))) as there, pg_get_functiondef(f.oid) as definition
        from pg_namespace n join pg_proc f on f.pronamespace = n.oid and f.prokind in ('f', 'p', 'w')
        cross join lateral (
          select left(value ->> 'schema', length(value ->> 'schema') - length(value ->> 'staging_schema') + length(n.nspname)) as schema
          from jsonb_array_elements(pairs || changes)
          where starts_with(value ->> 'staging_schema', n.nspname)
            and right(value ->> 'schema', length(value ->> 'staging_schema') - length(n.nspname)) = substr(value ->> 'staging_schema', length(n.nspname) + 1)
          order by length(value ->> 'staging_schema') limit 1) home
        where split_part(obj_description(n.oid, 'pg_namespace'), chr(10), 1) = job ->> 'staging_line' and pg_has_role(f.proowner, 'usage')
        order by f.oid
      loop
        begin
          if it.there is null then
            execute format('alter function %s set schema %I', it.oid::regprocedure, it.schema);
          end if;
          execute replace(it.definition, it.staged, it.live);
          for part in
            select distinct c.oid::regclass as name, c.relkind from pg_depend d join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
            join pg_class c on c.oid = w.ev_class
            where it.there is not null and d.refclassid = 'pg_proc'::regclass and d.refobjid = it.oid and c.relkind = 'v'
          loop
            execute format('create or replace view %s as %s', part.name, replace(pg_get_viewdef(part.name), it.staged, it.live));
          end loop;
          if it.there is not null then
            execute format('drop function %s', it.oid::regprocedure);
          end if;
        exception
          when lock_not_available or deadlock_detected then
            raise;
          when others then
            said := array[format('function %s%I: %s', it.staged, it.proname, sqlerrm)];
            raise exception using errcode = 'DD002', message = said[1];
        end;
      end loop;
{% endmacro %}
