{#
  Our own schema in the warehouse, the fence in it, and what the macros of a release share.

  The fence says which run may change production: a run that lost its lease, or whose dbt outlived it,
  finds another nonce there. A run that is older than the fence cannot move it.
#}

{# A warehouse that calls itself a PostgreSQL, such as Redshift, has no DO blocks. #}
{% macro postgres_itself(name) %}
  {% if adapter.type() != 'postgres' %}
    {{ dbtdeploy.no_macro(name) }}
  {% endif %}
{% endmacro %}

{# See look_at_production: base64 for what dbt prints, an x against its guesses of types. #}
{% macro postgres_answer(expression) %}
  {{ return("'x' || translate(encode(convert_to((" ~ expression
      ~ ")::text, 'UTF8'), 'base64'), E'\\n', '')") }}
{% endmacro %}

{#
  Runs one statement string, which is one transaction, and gives what it leaves in dbt_deploy.told. The
  job goes in as a value. The commit stands in the string: a client that dies has either sent all of it
  or nothing. `isolation` is never the connection's own: a try that waited for others has to see what they
  committed, and reads that must see one state ask for more.
#}
{% macro postgres_do(job, block, plain=false, isolation='read committed') %}
  {{ return(run_query("commit;\nbegin isolation level " ~ isolation ~ ";\n"
      ~ dbtdeploy.postgres_own_names_only()
      ~ "select set_config(name, '1s', false) from pg_settings where name = 'client_connection_check_interval';\n"
      ~ "select set_config('check_function_bodies', 'off', true), set_config('statement_timeout', '0', true);\n"
      ~ "select set_config('dbt_deploy.told', '', false), set_config('dbt_deploy.job', "
      ~ dbtdeploy.literal(tojson(job)) ~ ', true);\ndo $' ~ job.quote ~ '$\n' ~ dbtdeploy.postgres_told_if_untrusted(block)
      ~ '\n$' ~ job.quote
      ~ "$;\ncommit;\nselect " ~ ("'x' || current_setting('dbt_deploy.told')" if plain
        else dbtdeploy.postgres_answer("current_setting('dbt_deploy.told')"))).rows[0][0][1:]) }}
{% endmacro %}

{#
  While rows of production's tables are written: their triggers, checks and defaults find what they name as in
  dbt's own session. The look at production refuses a path in which others may make anything.
#}
{% macro postgres_sessions_path() %}
          perform set_config('search_path', (select reset_val from pg_settings where name = 'search_path'), true);
{% endmacro %}

{% macro postgres_empty_path() %}
          perform set_config('search_path', '', true);
{% endmacro %}


{#
  What waits for the commit is done now, as at the end of dbt's own transaction, which is one per model; a
  pending trigger would hold up ALTER TABLE. What begins deferred is so again for the next model.
#}
{% macro postgres_settle_constraints() %}
          {{ dbtdeploy.postgres_sessions_path() }}
          set constraints all immediate;
          {{ dbtdeploy.postgres_empty_path() }}
          execute coalesce((select string_agg(format('set constraints %I.%I deferred', n.nspname, k.conname), '; ')
            from pg_constraint k join pg_namespace n on n.oid = k.connamespace where k.condeferred), 'select');
{% endmacro %}


{#
  A schema that a release makes for itself: default privileges would let those read its rows from whom
  a policy or the rights of the table hide them.
#}
{% macro postgres_close_schema(name) %}
        execute coalesce((select string_agg(format('revoke all on schema %I from %s', n.nspname,
            case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end), '; ')
          from pg_namespace n cross join lateral aclexplode(n.nspacl) g where n.nspname = {{ name }} and g.grantee <> n.nspowner), 'select');
{% endmacro %}


{#
  A block, undone where it finds that others could make their code run: the answer is then {untrusted: Preflight},
  as of postgres_own_schema_refused.
#}
{% macro postgres_told_if_untrusted(block) %}
#variable_conflict use_column
declare
  untrusted_found text;
begin
{{ block }};
exception when sqlstate 'DD005' then
  get stacked diagnostics untrusted_found = pg_exception_detail;
  perform set_config('dbt_deploy.told', json_build_object('untrusted', json_build_object('role', quote_ident(current_user),
    'database', quote_ident(current_database()), 'untrusted_objects', untrusted_found::json))::text, false);
end
{% endmacro %}

{#
  One run that changes a place at a time; released with the subtransaction that took it. Only who may write
  into our tables can hold this row; an advisory lock, anybody who can connect. The first run of a place has
  no row, and waits for another one where it inserts it, in postgres_set_fence.
#}
{% macro postgres_lock_place() %}
      waits_for := to_regclass('dbt_deploy.fence');
      perform from dbt_deploy.fence f where f.environment = job ->> 'environment' and f.project = job ->> 'project' for update;
      waits_for := null;
{% endmacro %}

{#
  Only what is missing is made, so that a role which may not needs no right to. Two roles share these
  tables once one has granted the other INSERT and the like; look says what is missing.
#}
{% macro postgres_make_tables() %}
  perform set_config('lock_timeout', '5s', true);
  {# Who comes second waits for the first one's commit, meets the name that it wanted, and then finds all there. #}
  for attempt in 1 .. 3 loop
    begin
      {{ dbtdeploy.postgres_make_missing_tables() }}
      exit;
    exception
      when duplicate_schema or duplicate_table or duplicate_object or unique_violation then
        if attempt = 3 then
          raise;
        end if;
      when lock_not_available then
        raise exception 'another session is making the schema dbt_deploy, or a table in it, and has not committed for 5 s; one of: %',
          {{ dbtdeploy.postgres_writing_sessions() }};
    end;
  end loop;
  perform set_config('lock_timeout', patience, true);
  {{ dbtdeploy.postgres_refuse_untrusted_roles() }}
{% endmacro %}

{# Those in this database that have written something and not committed it. #}
{% macro postgres_writing_sessions() %}
(select string_agg(concat(a.usename, ' (process ', a.pid, ')'), ', ' order by a.pid) from pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid() and exists (
    select from pg_locks l where l.pid = a.pid and l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted))
{% endmacro %}

{% macro postgres_make_missing_tables() %}
  if to_regnamespace('dbt_deploy') is null then
    create schema dbt_deploy;
    comment on schema dbt_deploy is 'Releases of dbt-deploy, and what they brought.';
  end if;
  if to_regclass('dbt_deploy.releases') is null then
    create table dbt_deploy.releases (release_id text, environment text, project text, tag text not null,
      commit_sha text, nonce text, state text not null check (state in ('live', 'taken back')),
      swapped_at timestamptz not null, taken_back_at timestamptz, released_by text, run_url text,
      primary key (environment, project, release_id));
  end if;
  if to_regclass('dbt_deploy.fence') is null then
    create table dbt_deploy.fence (environment text, project text, nonce text not null, at timestamptz not null,
      primary key (environment, project));
  end if;
  if to_regclass('dbt_deploy.dbt_deployments') is null then
    create table dbt_deploy.dbt_deployments (release_id text not null, tag text, environment text not null,
      project text not null, unique_id text not null, model text, method text, rows_before bigint, rows_after bigint,
      seconds double precision, commit_sha text, deployed_by text, deployed_at timestamptz not null);
  end if;
  if to_regclass('dbt_deploy.dbt_model_row_counts') is null then
    create table dbt_deploy.dbt_model_row_counts (environment text not null, project text not null,
      unique_id text not null, model text, rows bigint, counted_at timestamptz not null, release_id text);
  end if;
  if to_regclass('dbt_deploy.removed_models') is null then
    create table dbt_deploy.removed_models (environment text, project text, unique_id text, database text,
      schema text not null, identifier text not null, oid bigint, removed_at timestamptz not null, release_id text,
      primary key (environment, project, schema, identifier));
  end if;
  if to_regclass('dbt_deploy.released_relations') is null then
    create table dbt_deploy.released_relations (environment text, project text, release_id text, oid bigint, attached jsonb not null,
      primary key (environment, project, release_id, oid));
  end if;
  if to_regclass('dbt_deploy.kept_foreign_keys') is null then
    create table dbt_deploy.kept_foreign_keys (environment text, project text, release_id text, oid bigint, name name, definition text not null,
      primary key (environment, project, release_id, oid, name));
  end if;
  if to_regclass('dbt_deploy.named_relations') is null then
    create table dbt_deploy.named_relations (environment text not null, project text not null, unique_id text not null,
      schema text not null, identifier text not null, noted_at timestamptz not null);
  end if;
  if to_regclass('dbt_deploy.baselines') is null then
    create table dbt_deploy.baselines (environment text, project text, release_id text, unique_id text,
      oid bigint not null, copy bigint not null, node int not null, log_schema text not null, rows bigint not null,
      files jsonb not null, columns jsonb not null, catalog jsonb not null, numbers jsonb not null, added jsonb not null,
      primary key (environment, project, release_id, unique_id));
  end if;
  if to_regclass('dbt_deploy.changed_tables') is null then
    create table dbt_deploy.changed_tables (environment text, project text, release_id text, unique_id text,
      oid bigint not null, kept bigint not null, files jsonb not null, layouts jsonb not null,
      added jsonb not null, altered bool not null, cascaded jsonb not null, whole bool not null, primary key (environment, project, release_id, unique_id));
  end if;
  {{ dbtdeploy.postgres_identify_rows("to_regclass('dbt_deploy.named_relations')") }}
{% endmacro %}

{#
  A publication of all tables refuses the UPDATE and the DELETE of a row that nothing identifies. Those without a primary
  key, also ones that an older version made, are told apart by all of their columns.
#}
{% macro postgres_identify_rows(relation) %}
  if exists (select from pg_class c where c.oid = {{ relation }} and c.relreplident = 'd' and pg_has_role(c.relowner, 'usage')
      and not exists (select from pg_index x where x.indrelid = c.oid and x.indisprimary)) then
    execute format('alter table %s replica identity full', ({{ relation }})::regclass);
  end if;
{% endmacro %}

{# Moves the fence to this run's nonce; `found` is then false if another run's is newer. #}
{% macro postgres_set_fence() %}
  {{ dbtdeploy.postgres_refuse_untrusted_roles() }}
  insert into dbt_deploy.fence as f (environment, project, nonce, at)
    values (job ->> 'environment', job ->> 'project', job ->> 'nonce',
            coalesce((job ->> 'taken_at')::timestamptz, clock_timestamp()))
    on conflict (environment, project) do update set nonce = excluded.nonce, at = excluded.at
      where f.nonce = excluded.nonce or f.at <= excluded.at;
{% endmacro %}

{# name: the variable of type jsonb; value: an expression. #}
{% macro postgres_tell(value) %}
  perform set_config('dbt_deploy.told', ({{ value }})::text, false);
{% endmacro %}

{# The columns of a relation as [{name, type}]. #}
{% macro postgres_columns(relation) %}
(select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
    order by a.attnum), '[]')
  from pg_attribute a where a.attrelid = {{ relation }} and a.attnum > 0 and not a.attisdropped)
{% endmacro %}

{% macro postgres_kind(relkind) %}
case {{ relkind }} when 'v' then 'view' when 'm' then 'materialized_view' when 'f' then 'foreign_table' else 'table' end
{% endmacro %}

{# Whether a schema bears a mark of ours: a pull request's, or one in which a release keeps something. #}
{% macro postgres_is_marked(namespace) %}
exists (select from pg_description d where d.classoid = 'pg_namespace'::regclass and d.objoid = {{ namespace }}
  and d.objsubid = 0 and d.description like 'dbt-deploy %')
{% endmacro %}


{#
  Whether a release's swap was committed, once none can be any more: it waits for one under way and
  moves the fence. The answer is none, live or taken back.
#}
{% macro release_settled(job) %}
  {{ return(adapter.dispatch('release_settled', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__release_settled(job) %}
  {{ dbtdeploy.no_macro('release_settled') }}
{% endmacro %}

{% macro postgres__release_settled(job) %}
  {{ dbtdeploy.postgres_itself('release_settled') }}
  {% set block %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  known text;
begin
  if to_regclass('dbt_deploy.fence') is not null and to_regclass('dbt_deploy.releases') is not null then
    {{ dbtdeploy.postgres_set_fence() }}
    if not found then
      raise exception 'another run of this environment and project took over';
    end if;
    select state into known from dbt_deploy.releases r
      where r.environment = job ->> 'environment' and r.project = job ->> 'project'
        and r.release_id = job ->> 'release_id';
    if to_regclass('dbt_deploy.baselines') is not null then
      {{ dbtdeploy.postgres_drop_left_columns() }}
    end if;
  end if;
  {{ dbtdeploy.postgres_tell("to_jsonb(coalesce(known, 'none'))") }}
end
  {% endset %}
  {% if not dbtdeploy.postgres_own_schema_refused(job) %}
    {% do print(job.token ~ dbtdeploy.postgres_do(job, block)) %}
  {% endif %}
{% endmacro %}
