{#
  What another role could make run with this role's rights: a JSON array of {kind, name, roles}.

  A function, operator or type in a schema of the search path is taken for PostgreSQL's own where it fits
  the arguments better (CVE-2018-1058); a trigger runs as whoever writes; who owns a schema can put
  anything in the place of what is in it.

  A stranger is a role that is no superuser, may not create roles, does not own the database and cannot
  act as this role. A group that this role is a member of may own things, and may not hold the search path.

  schemas    [name], those that are written to
  relations  a select of the oids that are written to
#}
{% macro postgres_exposures(schemas, relations) %}
(
with recursive {{ dbtdeploy.postgres_strangers() }},
{# What the session began with: this transaction's own path is empty. #}
path as (
  select distinct case coalesce(replace(m[1], '""', '"'), lower(m[2])) when '$user' then current_user::text
    else coalesce(replace(m[1], '""', '"'), lower(m[2])) end as name
  from pg_settings s cross join lateral regexp_matches(s.reset_val, '"((?:[^"]|"")*)"|([^\s,"]+)', 'g') m
  where s.name = 'search_path'
),
searched as (
  select p.name, n.oid from path p left join pg_namespace n on n.nspname = p.name
  where p.name not in ('', 'pg_catalog', 'pg_temp', 'information_schema')
),
found_there as (
  select 'pg_proc'::regclass::oid as classid, oid as objid, pronamespace as namespace, proowner as owner from pg_proc
  union all select 'pg_operator'::regclass, oid, oprnamespace, oprowner from pg_operator
  union all select 'pg_type'::regclass, oid, typnamespace, typowner from pg_type where typrelid = 0 and typelem = 0
),
family(oid, root) as (
  select r.oid, r.oid from ({{ relations }}) r
  union
  select i.inhrelid, f.root from family f join pg_inherits i on i.inhparent = f.oid
),
exposed(kind, name, roles) as (
  select case when p.oid is null then 'absent' else 'path' end, quote_ident(p.name), array_agg(s.shown order by s.shown)
  from searched p join stranger s on s.acts and case when p.oid is null
    then has_database_privilege(s.oid, current_database(), 'CREATE')
    else has_schema_privilege(s.oid, p.oid, 'CREATE') end
  group by p.oid, p.name
  union all
  select 'path object', pg_describe_object(f.classid, f.objid, 0), array[s.shown]
  from searched p join found_there f on f.namespace = p.oid join stranger s on s.oid = f.owner
  union all
  select 'schema', quote_ident(n.nspname), array[s.shown]
  from jsonb_array_elements_text({{ dbtdeploy.literal(tojson(schemas)) }}) w(name)
  join pg_namespace n on n.nspname = w.name::name join stranger s on s.oid = n.nspowner
  where not s.joined and n.nspname <> 'dbt_deploy'
  union all
  {# As a former owner may have granted it: a new one keeps the grant. #}
  select 'create', quote_ident(n.nspname), array_agg(s.shown order by s.shown)
  from pg_namespace n join stranger s on s.acts and s.oid <> n.nspowner
  where n.nspname in (select w.name::name from jsonb_array_elements_text({{ dbtdeploy.literal(tojson(schemas)) }}) w(name))
    and exists (select from aclexplode(n.nspacl) g where g.grantee = 0 and g.privilege_type = 'CREATE')
  group by n.oid, n.nspname
  union all
  select case when f.oid = f.root then 'relation' else 'partition' end, format('%I.%I', n.nspname, c.relname), array[s.shown]
  from family f join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace
  join stranger s on s.oid = c.relowner where not s.joined
  union all
  select 'trigger', format('%I on %I.%I', t.tgname, n.nspname, c.relname), array[s.shown]
  from (select distinct oid from family) f join pg_trigger t on t.tgrelid = f.oid and not t.tgisinternal
  join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace
  join pg_proc p on p.oid = t.tgfoid join stranger s on s.oid = p.proowner where not s.joined
  union all
  select * from ({{ dbtdeploy.postgres_own_schema_exposed() }}) o
)
{# In the order in which they can be dropped: an operator before its function, that before its types. #}
select coalesce(json_agg(e order by kind, case left(name, 2) when 'op' then 1 when 'fu' then 2 else 3 end, name), '[]')
from exposed e
)
{% endmacro %}


{#
  acts: whether somebody can log in as it. joined: whether it is a group that this role is a member of,
  and nobody logs in as it or as a member that cannot act as this role.
#}
{% macro postgres_strangers() %}
stranger as (
  select r.oid, quote_ident(r.rolname) as shown, r.rolcanlogin as acts, pg_has_role(current_user, r.oid, 'USAGE')
    and not r.rolcanlogin and not exists (select from pg_roles m where m.rolcanlogin and not m.rolsuper
      and pg_has_role(m.oid, r.oid, 'MEMBER') and not pg_has_role(m.oid, current_user, 'MEMBER')) as joined
  from pg_roles r join pg_database d on d.datname = current_database()
  where not r.rolsuper and not r.rolcreaterole and r.rolname !~ '^pg_' and not pg_has_role(r.oid, current_user, 'MEMBER')
    and not pg_has_role(r.oid, d.datdba, 'USAGE')
)
{% endmacro %}


{# The same of dbt_deploy, in which our own tables are: columns kind, name, roles. Needs the strangers. #}
{% macro postgres_own_schema_exposed() %}
select 'schema' as kind, 'dbt_deploy' as name, array[s.shown] as roles
from pg_namespace n join stranger s on s.oid = n.nspowner where n.nspname = 'dbt_deploy' and not s.joined
union all
select 'create', 'dbt_deploy', array_agg(s.shown order by s.shown)
from pg_namespace n join stranger s on s.acts and not s.joined and has_schema_privilege(s.oid, n.oid, 'CREATE')
  and s.oid <> n.nspowner
where n.nspname = 'dbt_deploy' group by n.oid
union all
select 'relation', format('dbt_deploy.%I', c.relname), array[s.shown]
from pg_namespace n join pg_class c on c.relnamespace = n.oid join stranger s on s.oid = c.relowner
where n.nspname = 'dbt_deploy' and c.relkind in ('r', 'p', 'v', 'm', 'f') and not s.joined
union all
select 'trigger', format('%I on dbt_deploy.%I', t.tgname, c.relname), array[s.shown]
from pg_namespace n join pg_class c on c.relnamespace = n.oid join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
join pg_proc p on p.oid = t.tgfoid join stranger s on s.oid = p.proowner
where n.nspname = 'dbt_deploy' and not s.joined
union all
{{ dbtdeploy.postgres_own_tables_misshapen() }}
{% endmacro %}


{#
  What bears the name of a table of ours and is not as we make it, whoever owns it: to read a view, or to
  write where there is a rule, a policy, a default or a child, can be to run a function.
#}
{% macro postgres_own_tables_misshapen() %}
select 'shape', format('%s dbt_deploy.%I', case c.relkind when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW'
    when 'f' then 'FOREIGN TABLE' when 'S' then 'SEQUENCE' when 'c' then 'TYPE' when 'i' then 'INDEX' when 'I' then 'INDEX'
    else 'TABLE' end, c.relname), array[quote_ident(pg_get_userbyid(c.relowner))]
from pg_namespace n join pg_class c on c.relnamespace = n.oid
where n.nspname = 'dbt_deploy'
  and c.relname in ('releases', 'fence', 'dbt_deployments', 'dbt_model_row_counts', 'removed_models', 'baselines')
  and (c.relkind <> 'r' or c.relrowsecurity
    or exists (select from pg_rewrite w where w.ev_class = c.oid)
    or exists (select from pg_attrdef d where d.adrelid = c.oid)
    or exists (select from pg_inherits i where c.oid in (i.inhrelid, i.inhparent))
    or exists (select from pg_index i where i.indrelid = c.oid and (i.indexprs is not null or i.indpred is not null))
    or exists (select from pg_attribute a join pg_type t on t.oid = a.atttypid
      where a.attrelid = c.oid and a.attnum > 0 and t.typnamespace <> 'pg_catalog'::regnamespace)
    or exists (select from pg_constraint k join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = k.oid
      and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass) where k.conrelid = c.oid))
{% endmacro %}


{#
  Before anything is read or written in dbt_deploy; the catalog alone is asked. Prints what is exposed as
  the answer, {exposed: Preflight}, and returns whether there was any.
#}
{% macro postgres_own_schema_refused(job) %}
  {% set found = run_query(dbtdeploy.postgres_own_names_only() ~ 'with ' ~ dbtdeploy.postgres_strangers()
      ~ ', own(kind, name, roles) as (' ~ dbtdeploy.postgres_own_schema_exposed() ~ ') select (select count(*) from own), '
      ~ dbtdeploy.postgres_answer("json_build_object('exposed', json_build_object('role', quote_ident(current_user),"
        ~ " 'database', quote_ident(current_database()), 'exposures',"
        ~ " (select json_agg(o order by o.kind, o.name) from own o)))")).rows[0] %}
  {% if found[0] | int > 0 %}
    {% do dbtdeploy.end_transaction() %}
    {% do print(job.token ~ found[1][1:]) %}
  {% endif %}
  {{ return(found[0] | int > 0) }}
{% endmacro %}


{#
  Where a block moves relations to: what was made there since the look may be another role's, who could
  then put anything in their place. names: a select of schemas, all of which are there.
#}
{% macro postgres_refuse_schemas_of_others(names) %}
      said := array(with {{ dbtdeploy.postgres_strangers() }}
        select format('the schema %I belongs to %s, who could replace what is in it', n.nspname, s.shown)
        from pg_namespace n join stranger s on s.oid = n.nspowner and not s.joined
        where n.nspname in (select w.name::name from ({{ names }}) w(name)) order by 1);
      if said <> '{}' then
        raise exception using errcode = 'DD001', message = said[1];
      end if;
{% endmacro %}


{#
  For a block that uses our own tables: the look may be long ago, or not have been asked for. Once the
  schema is ours and closed to others, nobody else can put anything there; so it comes after what makes
  it, or finds that it is there.
#}
{% macro postgres_refuse_strangers() %}
  if not exists (select from pg_namespace n where n.nspname = 'dbt_deploy') then
    raise exception 'the schema dbt_deploy is not there';
  end if;
  if exists (with {{ dbtdeploy.postgres_strangers() }} {{ dbtdeploy.postgres_own_schema_exposed() }}) then
    raise exception 'another role can change what dbt-deploy keeps in the schema dbt_deploy: %',
      (with {{ dbtdeploy.postgres_strangers() }}
       select string_agg(concat_ws(' ', o.kind, o.name, 'of', array_to_string(o.roles, ', ')), '; ')
       from ({{ dbtdeploy.postgres_own_schema_exposed() }}) o);
  end if;
{% endmacro %}
