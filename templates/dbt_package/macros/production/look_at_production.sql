{#
  What a build would meet in production, all in one query: missing privileges, what an earlier, killed
  dbt left, and everything that `drop ... cascade` would take along, with the statements that make it
  again.

  wanted      [{schema, name, replaced: [table, view, materialized_view], otherwise, leftover_of}]
              each relation that dbt writes. It drops it if it is of a kind in `replaced`; otherwise it
              will alter, truncate or refresh it, as `otherwise` says
  functions   [{schema, name}]
  schemas     [schema], in which something is written
  reads       [{schema, name}], relations that the build reads and does not write
  result      see `Preflight` in scripts/dbtdeploy/warehouse/preflight.py, as JSON in base64, or a mapping: `unchecked` says
              what nobody looked at
#}
{% macro look_at_production(job) %}
  {{ return(adapter.dispatch('look_at_production', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__look_at_production(job) %}
  {{ return({'unchecked': 'privileges, and what hangs on the relations that are rebuilt',
             'macro': adapter.type() ~ '__look_at_production'}) }}
{% endmacro %}

{# Views of these name what they read: dropping a table takes no view along. #}
{% macro snowflake__look_at_production(job) %}
  {{ return({'unchecked': 'privileges'}) }}
{% endmacro %}

{% macro bigquery__look_at_production(job) %}
  {{ return({'unchecked': 'privileges'}) }}
{% endmacro %}

{% macro databricks__look_at_production(job) %}
  {{ return({'unchecked': 'privileges'}) }}
{% endmacro %}

{# It has no privileges either. #}
{% macro duckdb__look_at_production(job) %}
  {{ return({}) }}
{% endmacro %}

{#
  base64, because dbt puts ***** in place of the value of a DBT_ENV_SECRET_*, wherever it is printed;
  the x, because dbt would make a number or a date of what looks like one. With an empty search_path
  PostgreSQL writes every name with its schema.
#}
{% macro postgres__look_at_production(job) %}
  {% if adapter.type() != 'postgres' %}
    {{ return(dbtdeploy.default__look_at_production(job)) }}
  {% endif %}
  {% set sql %}
select set_config('search_path', '', true);
with recursive
{{ dbtdeploy.postgres_wanted(job) }},
{{ dbtdeploy.postgres_taken() }},
{{ dbtdeploy.postgres_statements() }}
select 'x' || translate(encode(convert_to(json_build_object(
  'role', quote_ident(current_user),
  'database', quote_ident(current_database()),
  'may_create_schemas', has_database_privilege(current_database(), 'CREATE'),
  'may_use_temporary_tables', has_database_privilege(current_database(), 'TEMP'),
  'schemas', (select coalesce(json_agg(s), '[]') from schemas s where not s.ready),
  'relations', (select coalesce(json_agg(p), '[]') from (
      select key, full_name, kind, quote_ident(pg_get_userbyid(owner)) as owner, gone, otherwise,
        case when leftover_of <> '' then format('%I.%I', schema, leftover_of) end as leftover_of, allowed
      from planned where not allowed or leftover_of <> '' or key in (select parent from edge)) p),
  'functions', (select coalesce(json_agg(f), '[]') from foreign_functions f),
  'dependents', (select coalesce(json_agg(h), '[]') from hanging h),
  'lost', (select coalesce(json_agg(l), '[]') from lost l),
  'untrusted_objects', {{ dbtdeploy.postgres_untrusted_objects(job.schemas, 'select p.oid from planned p', job.reads) }}
)::text, 'UTF8'), 'base64'), E'\n', ''),
  (not exists (select from schemas s where not s.ready) and not exists (select from planned p where not p.allowed)
    and not exists (select from foreign_functions) and not exists (select from hanging h where h.gone and not h.ours and not h.pull_request)
    and not exists (select from lost l where not l.pull_request)
    and {{ dbtdeploy.postgres_untrusted_objects(job.schemas, 'select p.oid from planned p', job.reads) }}::text = '[]')::int
  {% endset %}
  {% set found = run_query(sql).rows[0] %}
  {% if found[1] | int == 1 %}
    {% set told = dbtdeploy.postgres_do({'schemas': job.schemas, 'quote': job.quote}, dbtdeploy.postgres_make_schemas_block(), plain=true) %}
    {% if told %}
      {{ return(fromjson(told).untrusted) }}
    {% endif %}
  {% endif %}
  {{ return(found[0][1:]) }}
{% endmacro %}


{#
  Where nothing is refused: between this look and dbt's own `create schema` another role could make it.
  What it made since the look is refused.
#}
{% macro postgres_make_schemas_block() %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  it record;
begin
  for it in select w.name from jsonb_array_elements_text(job -> 'schemas') w(name)
      where not exists (select from pg_namespace n where n.nspname = w.name::name) order by 1 loop
    execute format('create schema if not exists %I', it.name);
  end loop;
  {{ dbtdeploy.postgres_refuse_schemas_of_others("select jsonb_array_elements_text(job -> 'schemas')") }}
end
{% endmacro %}


{# What the build writes, as it is now. #}
{% macro postgres_wanted(job) %}
wanted as (
  select w.*, n.oid as namespace
  from jsonb_to_recordset({{ dbtdeploy.literal(tojson(job.wanted)) }})
    as w(schema text, name text, replaced text[], otherwise text, leftover_of text)
  join pg_catalog.pg_namespace n on n.nspname = w.schema
),
planned as (
  select 'c' || p.oid as key, format('%I.%I', schema, name) as full_name, p.*,
    case when gone or otherwise = 'refresh' then pg_has_role(owner, 'USAGE')
         when otherwise = 'truncate' then has_table_privilege(oid, 'TRUNCATE') and has_table_privilege(oid, 'INSERT')
         else has_table_privilege(oid, 'SELECT') and has_table_privilege(oid, 'INSERT')
              and has_table_privilege(oid, 'UPDATE') and has_table_privilege(oid, 'DELETE')
    end as allowed
  from (
    select w.*, c.oid, c.relowner as owner, k.kind, k.kind = any (w.replaced) as gone
    from wanted w
    join pg_class c on c.relnamespace = w.namespace and c.relname = w.name
    cross join lateral (select case c.relkind when 'v' then 'view' when 'm' then 'materialized_view'
      else 'table' end as kind) k
    where c.relkind in ('r', 'p', 'v', 'm')
  ) p
),
schemas as (
  select quote_ident(w.name) as schema, n.oid is not null as there,
    coalesce(has_schema_privilege(n.oid, 'CREATE') and has_schema_privilege(n.oid, 'USAGE'),
             has_database_privilege(current_database(), 'CREATE')) as ready
  from jsonb_array_elements_text({{ dbtdeploy.literal(tojson(job.schemas)) }}) as w(name)
  left join pg_namespace n on n.nspname = w.name
),
{# With two of one name nobody knows which of them will be replaced. #}
foreign_functions as (
  select min(format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))) as full_name,
    min(quote_ident(pg_get_userbyid(p.proowner))) as owner
  from jsonb_to_recordset({{ dbtdeploy.literal(tojson(job.functions)) }}) as w(schema text, name text)
  join pg_namespace n on n.nspname = w.schema
  join pg_proc p on p.pronamespace = n.oid and p.proname = w.name
  group by w.schema, w.name
  having count(*) = 1 and not bool_or(pg_has_role(p.proowner, 'USAGE'))
)
{% endmacro %}


{#
  What goes with them, as PostgreSQL's own findDependentObjects() finds it
  (https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/catalog/dependency.c): what
  depends on a thing goes, and where that is an internal part of another, such as the rule of a view,
  the whole goes. `root` are the relations of the build themselves; `gone` is false for what hangs only
  on tables that are altered: dbt drops a column of theirs, cascading, to make it wider.
#}
{% macro postgres_taken() %}
reach(classid, objid, objsubid, gone, root) as (
  select 'pg_class'::regclass::oid, oid, 0, gone, true from planned where gone or otherwise = 'alter'
  union
  select coalesce(whole.refclassid, d.classid), coalesce(whole.refobjid, d.objid),
    coalesce(whole.refobjsubid, d.objsubid), r.gone, false
  from reach r
  cross join lateral (
    {# A view has a line for each column that it reads. #}
    select distinct d.classid, d.objid, d.objsubid from pg_depend d
    where d.refclassid = r.classid and d.refobjid = r.objid
      and (r.objsubid = 0 or d.refobjsubid = r.objsubid) and d.deptype in ('n', 'a', 'i', 'P', 'S')
  ) d
  left join pg_depend whole on whole.classid = d.classid and whole.objid = d.objid
    and whole.objsubid = d.objsubid and whole.deptype in ('i', 'e')
    and (whole.refclassid, whole.refobjid) <> (r.classid, r.objid)
),
reached as (
  select classid, objid, objsubid, bool_or(gone) as gone from reach where not root group by 1, 2, 3
),
{# A part of one of these is no thing of its own. #}
relations as (
  select distinct objid as oid from reach where classid = 'pg_class'::regclass and objsubid = 0
),
{# Foreign keys count even where their table is rebuilt too: the build may end between the two. #}
part_of_a_table as (
  select 'foreign key or constraint' as what, r.*, k.conname::text as name, k.conrelid as holder
  from reached r join pg_constraint k on r.classid = 'pg_constraint'::regclass and k.oid = r.objid
  where k.conrelid <> 0 and k.conparentid = 0 and (k.conrelid not in (select oid from relations)
    or k.contype = 'f' and k.confrelid <> k.conrelid
       and k.confrelid in (select oid from planned where gone))
  union all
  select 'policy', r.*, p.polname::text, p.polrelid
  from reached r join pg_policy p on r.classid = 'pg_policy'::regclass and p.oid = r.objid
  where p.polrelid not in (select oid from relations)
  union all
  select 'rule', r.*, w.rulename::text, w.ev_class
  from reached r join pg_rewrite w on r.classid = 'pg_rewrite'::regclass and w.oid = r.objid
  where w.ev_class not in (select oid from relations)
  union all
  select 'trigger', r.*, t.tgname::text, t.tgrelid
  from reached r join pg_trigger t on r.classid = 'pg_trigger'::regclass and t.oid = r.objid
  where not t.tgisinternal and t.tgrelid not in (select oid from relations)
  union all
  select 'default', r.*, a.attname::text, d.adrelid
  from reached r join pg_attrdef d on r.classid = 'pg_attrdef'::regclass and d.oid = r.objid
  join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
  where a.attgenerated = '' and d.adrelid not in (select oid from relations)
),
thing as (
  select 'c' || r.objid as key, case c.relkind when 'v' then 'view' else 'materialized view' end as kind,
    r.*, n.nspname::text as schema, c.relname::text as name, c.relowner as owner,
    c.relnamespace as namespace, format('%I.%I', n.nspname, c.relname) as full_name, null::oid as holder, null as part
  from reached r
  join pg_class c on r.classid = 'pg_class'::regclass and c.oid = r.objid
  join pg_namespace n on n.oid = c.relnamespace
  where r.objsubid = 0 and c.relkind in ('v', 'm') and c.relpersistence <> 't'
  union all
  select 'p' || r.objid, case p.prokind when 'p' then 'procedure' else 'function' end, r.*,
    n.nspname::text, p.proname::text, p.proowner, p.pronamespace,
    format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), null, null
  from reached r
  join pg_proc p on r.classid = 'pg_proc'::regclass and p.oid = r.objid
  join pg_namespace n on n.oid = p.pronamespace
  where p.prokind in ('f', 'p', 'w') and not pg_is_other_temp_schema(p.pronamespace)
  union all
  select t.what || t.objid, t.what, t.classid, t.objid, t.objsubid, t.gone, n.nspname::text,
    c.relname || '.' || t.name, c.relowner, c.relnamespace, format('%I.%I', n.nspname, c.relname), c.oid, t.name
  from part_of_a_table t
  join pg_class c on c.oid = t.holder
  join pg_namespace n on n.oid = c.relnamespace
),
{#
  Each thing's own parents: a view's are those of its rules. A row type stands for its relation. Only
  what would hurt is named as lost: an own part of what is taken along is not.
#}
edge as (
  select distinct f.key, case d.refclassid
      when 'pg_class'::regclass then 'c' || d.refobjid
      when 'pg_proc'::regclass then 'p' || d.refobjid
      when 'pg_type'::regclass then 'c' || coalesce(nullif(t.typrelid, 0), e.typrelid)
    end as parent
  from (
    select h.key, 'pg_rewrite'::regclass::oid as classid, w.oid as objid
    from thing h join pg_rewrite w on h.classid = 'pg_class'::regclass and w.ev_class = h.objid
    union all
    select key, classid, objid from thing where classid <> 'pg_class'::regclass
  ) f
  cross join lateral (select distinct d.refclassid, d.refobjid from pg_depend d
    where d.classid = f.classid and d.objid = f.objid) d
  left join pg_type t on d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid
  left join pg_type e on e.oid = t.typelem
),
parts as (
  select distinct d.classid, d.objid
  from reach r join pg_depend d on d.refclassid = r.classid and d.refobjid = r.objid
  left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
  where d.deptype in ('a', 'i', 'P', 'S') and coalesce(c.relkind, 'i') not in ('r', 'p', 'f')
),
lost_ones as (
  select r.classid, r.objid, r.objsubid, coalesce(
      (select s.refobjid from pg_shdepend s where s.classid = r.classid and s.objid = r.objid
        and s.deptype = 'o' and s.dbid = (select oid from pg_database where datname = current_database())),
      c.relowner, cast_type.typowner) as owner,
    coalesce((select n.oid from pg_identify_object(r.classid, r.objid, r.objsubid) o join pg_namespace n on n.nspname = o.schema),
      cast_type.typnamespace) as namespace
  from reached r
  left join pg_class c on r.classid = 'pg_class'::regclass and c.oid = r.objid
  {# A cast has no owner: who owns one of its types made it. #}
  left join lateral (
    select t.typowner, t.typnamespace from pg_cast k join pg_type t on t.oid in (k.castsource, k.casttarget)
    where r.classid = 'pg_cast'::regclass and k.oid = r.objid
    order by t.typowner = (select me.oid from pg_roles me where me.rolname = current_user), t.typowner limit 1
  ) cast_type on true
  where r.gone
    and not exists (select from thing h where h.classid = r.classid and h.objid = r.objid)
    and coalesce(c.relpersistence, 'p') <> 't'
    and not (r.classid = 'pg_class'::regclass and (r.objid in (select oid from planned)
      or r.objsubid <> 0 and r.objid in (select oid from relations)))
    and not exists (select from pg_rewrite w where r.classid = 'pg_rewrite'::regclass and w.oid = r.objid)
    and not exists (select from pg_trigger t where r.classid = 'pg_trigger'::regclass and t.oid = r.objid)
    and (r.classid, r.objid) not in (select classid, objid from parts)
),
lost as (
  select pg_describe_object(l.classid, l.objid, l.objsubid) as name, coalesce(quote_ident(pg_get_userbyid(l.owner)), '') as owner,
    coalesce({{ dbtdeploy.postgres_of_a_pull_request('l.owner', 'l.namespace') }}, false) as pull_request
  from lost_ones l
)
{% endmacro %}
