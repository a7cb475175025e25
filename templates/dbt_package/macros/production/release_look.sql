{#
  Production before a release; nothing is written.

  job:
    token, quote
    environment, project
    wanted     [{unique_id, database, schema, identifier}] what the release will replace or make
    removed    the same of nodes that left the project, or their place
    schemas    [name] all that production has
    reads      [{schema, name}] relations that what is released reads
  answer: see `LiveProduction` in scripts/dbtdeploy/warehouse/release_macro_types.py
#}
{% macro release_look(job) %}
  {{ return(adapter.dispatch('release_look', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__release_look(job) %}
  {{ dbtdeploy.no_macro('release_look') }}
{% endmacro %}

{% macro postgres__release_look(job) %}
  {{ dbtdeploy.postgres_itself('release_look') }}
  {#
    Told among the untrusted objects, and not read: what another role made there. to_regclass fails where the
    schema may not be used.
  #}
  {% set there = run_query(dbtdeploy.postgres_own_names_only() ~ 'with ' ~ dbtdeploy.postgres_untrusted_roles()
      ~ " select count(*) from pg_namespace n join pg_class c on c.relnamespace = n.oid"
      ~ " where n.nspname = 'dbt_deploy' and c.relname = 'releases' and has_schema_privilege(n.oid, 'USAGE')"
      ~ " and has_table_privilege(c.oid, 'SELECT') and not exists ("
      ~ dbtdeploy.postgres_own_schema_untrusted() ~ ")").rows[0][0] | int == 1 %}
  {% set sql %}
{{ dbtdeploy.postgres_own_names_only() }}
select {{ dbtdeploy.postgres_answer("json_build_object('role', current_user, 'database', current_database(),"
  ~ " 'look', (" ~ dbtdeploy.postgres_release_hanging(job) ~ "),"
  ~ " 'live', (" ~ dbtdeploy.postgres_release_live(job) ~ "),"
  ~ " 'left', (" ~ dbtdeploy.postgres_release_left(job) ~ "),"
  ~ " 'new_schemas', (" ~ dbtdeploy.postgres_new_schemas(job) ~ "),"
  ~ " 'releases', (" ~ (dbtdeploy.postgres_known_releases(job) if there else "select json_build_array()") ~ "))") }}
  {% endset %}
  {% do print(job.token ~ run_query(sql).rows[0][0][1:]) %}
  {% do dbtdeploy.end_transaction() %}
{% endmacro %}


{% macro postgres_known_releases(job) %}
select coalesce(json_agg(json_build_object('release_id', release_id, 'tag', tag, 'state', state,
    'swapped_at', swapped_at) order by swapped_at, release_id), '[]')
  from dbt_deploy.releases where environment = {{ dbtdeploy.literal(job.environment) }}
    and project = {{ dbtdeploy.literal(job.project) }}
{% endmacro %}


{# The relations that are there. A name over 63 bytes is cut as PostgreSQL cut it. #}
{% macro postgres_named(relations) %}
named as (
  select w.unique_id, w.database, w.schema, w.identifier, c.oid, c.relkind, c.relowner as owner, c.reltuples,
    c.relnamespace as namespace, format('%I.%I', n.nspname, c.relname) as full_name
  from jsonb_to_recordset({{ dbtdeploy.literal(tojson(relations)) }})
    as w(unique_id text, database text, schema text, identifier text)
  join pg_namespace n on n.nspname = w.schema::name
  join pg_class c on c.relnamespace = n.oid and c.relname = w.identifier::name
  where c.relkind in ('r', 'p', 'v', 'm', 'f')
)
{% endmacro %}


{#
  `live` of the answer. What makes a view again comes from make_statements.sql, which takes it for a
  `thing` that goes.
#}
{% macro postgres_release_live(job) %}
with {{ dbtdeploy.postgres_named(job.wanted) }},
thing as (
  select unique_id as key, case relkind when 'v' then 'view' else 'materialized view' end as kind,
    'pg_class'::regclass::oid as classid, oid as objid, 0 as objsubid, true as gone, schema, identifier as name,
    owner, namespace, full_name, null::oid as holder, null::text as part
  from named where relkind in ('v', 'm')
),
edge as (select null::text as key, null::text as parent where false),
{{ dbtdeploy.postgres_statements() }}
select coalesce(json_agg(json_build_object(
  'unique_id', r.unique_id,
  'spot', json_build_object('database', r.database, 'schema', r.schema, 'identifier', r.identifier),
  'kind', {{ dbtdeploy.postgres_kind('r.relkind') }},
  'oid', r.oid::bigint,
  'owner', pg_get_userbyid(r.owner),
  'ours', pg_has_role(r.owner, 'USAGE'),
  'columns', {{ dbtdeploy.postgres_columns('r.oid') }},
  'parts', {{ dbtdeploy.postgres_parts_of('r.oid') }},
  'constraints', (select coalesce(json_agg(k.conname order by k.conname), '[]') from pg_constraint k where k.conrelid = r.oid),
  'referenced_by', (select coalesce(json_agg(quote_ident(k.conname) || ' of ' || (k.conrelid::regclass)::text order by k.conname), '[]')
    from pg_constraint k where k.contype = 'f' and k.confrelid = r.oid and k.conrelid <> r.oid),
  'row_triggers', {{ dbtdeploy.postgres_row_triggers('r.oid') }},
  'publications', {{ dbtdeploy.postgres_publications_that_stop('r.oid') }},
  'rows_estimate', case when r.relkind not in ('v', 'f') and r.reltuples >= 0 then r.reltuples::bigint end,
  'bytes', case when r.relkind not in ('v', 'f') then pg_total_relation_size(r.oid) end,
  'statements', coalesce(h.statements, '{}')
)), '[]')
from named r left join hanging h on h.key = r.unique_id
{% endmacro %}


{# Those that may change a row as it is inserted or updated, a partition's own too, by name. #}
{% macro postgres_row_triggers(relation) %}
(with recursive family(oid) as (
    select {{ relation }}::oid union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
  )
  {# By the bits of `pg_trigger.h`: for each row, before, and on INSERT or UPDATE. #}
  select coalesce(json_agg(distinct quote_ident(g.tgname)), '[]') from family f join pg_trigger g on g.tgrelid = f.oid
  where not g.tgisinternal and g.tgenabled in ('O', 'A') and g.tgtype & 3 = 3 and g.tgtype & 20 > 0)
{% endmacro %}


{# `left` of the answer. #}
{% macro postgres_release_left(job) %}
with {{ dbtdeploy.postgres_named(job.removed) }}
select coalesce(json_agg(json_build_object('unique_id', r.unique_id,
  'spot', json_build_object('database', r.database, 'schema', r.schema, 'identifier', r.identifier),
  'readers', (select coalesce(json_agg(distinct format('%I.%I', n.nspname, c.relname)), '[]') from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid <> r.oid and c.oid in (
      select w.ev_class from pg_depend d join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
        where d.refclassid = 'pg_class'::regclass and d.refobjid = r.oid
      union all
      select k.conrelid from pg_constraint k where k.contype = 'f' and k.confrelid = r.oid)))), '[]')
from named r
{% endmacro %}


{#
  `new_schemas` of the answer: those that the swap will make, each with the roles that it will let use it: those that
  may use all of production's schemas that are there.
#}
{% macro postgres_new_schemas(job) %}
with there as (
  select n.oid, n.nspowner, n.nspacl from pg_namespace n
  where n.nspname in (select s.name::name from jsonb_array_elements_text({{ dbtdeploy.literal(tojson(job.schemas)) }}) s(name))
), users as (
  select g.grantee from there t cross join lateral aclexplode(coalesce(t.nspacl, acldefault('n', t.nspowner))) g
  where g.privilege_type = 'USAGE' and (g.grantee = 0 or g.grantee <> (select r.oid from pg_roles r where r.rolname = current_user))
  group by g.grantee having count(distinct t.oid) = (select count(*) from there)
)
select coalesce(json_agg(json_build_object('name', w.schema, 'neighbours', (select count(*) from there),
    'usable_by', (select coalesce(json_agg(case u.grantee when 0 then 'public' else pg_get_userbyid(u.grantee) end order by 1), '[]') from users u))
    order by w.schema), '[]')
  from (select distinct x.schema from jsonb_to_recordset({{ dbtdeploy.literal(tojson(job.wanted)) }}) as x(schema text)) w
  where not exists (select from pg_namespace n where n.nspname = w.schema::name)
{% endmacro %}


{#
  Publications that publish updates or deletes of a table, or of a partition of it, that has no replica identity:
  PostgreSQL then refuses each UPDATE and DELETE there.
#}
{% macro postgres_publications_that_stop(relation) %}
(with tree as (
    select {{ relation }} as oid union select t.relid from pg_partition_tree({{ relation }}::regclass) t
  )
  select coalesce(json_agg(distinct quote_ident(b.pubname)), '[]')
  from pg_publication b join pg_publication_tables t on t.pubname = b.pubname
  where (b.pubupdate or b.pubdelete) and (t.schemaname, t.tablename) in (select n.nspname, c.relname from tree join pg_class c on c.oid = tree.oid
      join pg_namespace n on n.oid = c.relnamespace)
    and exists (select from tree join pg_class c on c.oid = tree.oid where c.relkind = 'r' and not case c.relreplident when 'f' then true when 'n' then false
      else exists (select from pg_index x where x.indrelid = c.oid and x.indisvalid and case c.relreplident when 'd' then x.indisprimary else x.indisreplident end) end))
{% endmacro %}


{#
  `look` of the answer, see `Preflight` in scripts/dbtdeploy/warehouse/preflight.py. Partitions move with their table, so
  they count as the release's own.
#}
{% macro postgres_release_hanging(job) %}
with recursive {{ dbtdeploy.postgres_named(job.wanted) }},
family(oid) as (
  select oid from named
  union
  select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
    join pg_class c on c.oid = i.inhrelid and c.relispartition
),
{{ dbtdeploy.postgres_planned('join family f on f.oid = c.oid') }},
{{ dbtdeploy.postgres_taken() }},
{{ dbtdeploy.postgres_statements() }},
{{ dbtdeploy.postgres_outside() }},
schemas as (
  select quote_ident(w.name) as schema, n.oid is not null as there,
    coalesce(has_schema_privilege(n.oid, 'CREATE') and has_schema_privilege(n.oid, 'USAGE'),
             has_database_privilege(current_database(), 'CREATE')) as ready
  from (select w.schema as name from jsonb_to_recordset({{ dbtdeploy.literal(tojson(job.wanted)) }}) as w(schema text)
    {# What a release makes: staging and keeping schemas, and the one of its own tables. #}
    union values ('dbt_green_...'), ('dbt_deploy')) w
  left join pg_namespace n on n.nspname = w.name::name
),
kept_by_us as (
  select c.oid, format('%I.%I', n.nspname, c.relname) as full_name, c.relowner as owner
  from pg_namespace n join pg_class c on c.relnamespace = n.oid
  where n.nspname = 'dbt_deploy' and c.relkind = 'r' and not (has_table_privilege(c.oid, 'SELECT')
    and has_table_privilege(c.oid, 'INSERT') and has_table_privilege(c.oid, 'UPDATE')
    and has_table_privilege(c.oid, 'DELETE'))
)
select json_build_object(
  'role', quote_ident(current_user),
  'database', quote_ident(current_database()),
  'may_create_schemas', has_database_privilege(current_database(), 'CREATE'),
  'may_use_temporary_tables', has_database_privilege(current_database(), 'TEMP'),
  'schemas', (select coalesce(json_agg(s), '[]') from schemas s where not s.ready),
  'relations', (select coalesce(json_agg(p), '[]') from (
      select key, full_name, kind, quote_ident(pg_get_userbyid(owner)) as owner, gone, otherwise,
        null as leftover_of, pg_has_role(owner, 'USAGE') as allowed
      from planned where not pg_has_role(owner, 'USAGE') or key in (select parent from edge)
      union all
      select 'o' || oid, full_name, 'table', quote_ident(pg_get_userbyid(owner)), false, 'alter', null, false
      from kept_by_us) p),
  'functions', json_build_array(),
  'dependents', (select coalesce(json_agg(to_jsonb(h) || jsonb_build_object('ahead', {{ dbtdeploy.postgres_is_made_ahead() }})), '[]')
    from hanging h join thing t on t.key = h.key where h.key in (select key from outside)),
  'lost', (select coalesce(json_agg(l), '[]') from lost l where not l.pull_request),
  'untrusted_objects', {{ dbtdeploy.postgres_untrusted_objects(job.wanted | map(attribute='schema') | list, 'select p.oid from planned p', job.reads) }}
)
{% endmacro %}


{#
  Whether the swap makes or checks `t` before it locks anything, as release_ahead.sql does: a view outside needs other
  names for its schemas, and none may call a function that goes along.
#}
{% macro postgres_is_made_ahead() %}
case
  when t.holder is not null then exists (select from pg_constraint k join pg_class c on c.oid = k.conrelid
    where t.classid = 'pg_constraint'::regclass and k.oid = t.objid and k.contype = 'f' and k.confmatchtype = 's' and k.convalidated and c.relkind = 'r')
  when t.kind in ('view', 'materialized view') then has_database_privilege(current_database(), 'CREATE')
    and not exists (select from pg_namespace n where not pg_has_role(n.nspowner, 'USAGE') and n.oid in (
      select c.relnamespace from planned p join pg_class c on c.oid = p.oid union select o.namespace from outside o))
    and not exists (select from edge e join thing v on v.key = e.key and v.kind in ('view', 'materialized view')
      join thing f on f.key = e.parent and f.kind = 'function')
  else false
end
{% endmacro %}


{# What leaves production, for postgres_taken(). #}
{% macro postgres_planned(condition) %}
planned as (
  select 'c' || c.oid as key, format('%I.%I', n.nspname, c.relname) as full_name, c.oid, c.relowner as owner,
    {{ dbtdeploy.postgres_kind('c.relkind') }} as kind, true as gone, 'alter'::text as otherwise
  from pg_class c join pg_namespace n on n.oid = c.relnamespace {{ condition }}
)
{% endmacro %}


{#
  What hangs on it and is neither of the release itself nor in a schema that bears our mark, nor of a role
  of pull requests: what a pull request built on production, or an earlier release keeps, follows the old relation.
#}
{% macro postgres_outside() %}
outside as (
  select t.* from thing t
  where t.objid not in (select p.oid from planned p) and coalesce(t.holder, 0) not in (select p.oid from planned p)
    and not {{ dbtdeploy.postgres_is_marked('t.namespace') }} and not {{ dbtdeploy.postgres_of_a_pull_request('t.owner', 't.namespace') }}
)
{% endmacro %}
