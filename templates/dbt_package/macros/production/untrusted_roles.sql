{#
  What another role could make run with this role's rights: a JSON array of {kind, name, roles}.

  A function, operator or type in a schema of the search path is taken for PostgreSQL's own where it fits
  the arguments better (CVE-2018-1058); a trigger runs as whoever writes; who owns a schema can put
  anything in the place of what is in it.

  An untrusted role is one that is no superuser, may not create roles, does not own the database and cannot
  act as this role. A group that this role is a member of may own things, and may not hold the search path.

  What is only read may be any role's, such as a loader's, but not the pull requests': to read a view is to
  run its functions, and who owns a table can put a view in its place.

  schemas    [name], those that are written to
  relations  a select of the oids that are written to
  reads      [{schema, name}], relations that are read
#}
{% macro postgres_untrusted_objects(schemas, relations, reads) %}
(
with recursive {{ dbtdeploy.postgres_untrusted_roles() }},
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
written as (
  select w.name::name as name from jsonb_array_elements_text({{ dbtdeploy.literal(tojson(schemas)) }}) w(name)
),
reading as (
  select w.schema::name as schema, w.name::name as name
  from jsonb_to_recordset({{ dbtdeploy.literal(tojson(reads)) }}) as w(schema text, name text)
),
read_schema as (
  select distinct r.schema as name, n.oid, n.nspowner from reading r left join pg_namespace n on n.nspname = r.schema
  where r.schema not in (select w.name from written w) and r.schema !~ '^pg_' and r.schema <> 'information_schema'
),
untrusted(kind, name, roles) as (
  select case when p.oid is null then 'absent' else 'path' end, quote_ident(p.name), array_agg(s.shown order by s.shown)
  from searched p join untrusted_role s on s.acts and case when p.oid is null
    then has_database_privilege(s.oid, current_database(), 'CREATE')
    else has_schema_privilege(s.oid, p.oid, 'CREATE') end
  group by p.oid, p.name
  union all
  select 'path object', pg_describe_object(f.classid, f.objid, 0), array[s.shown]
  from searched p join found_there f on f.namespace = p.oid join untrusted_role s on s.oid = f.owner
  union all
  select 'schema', quote_ident(n.nspname), array[s.shown]
  from written w join pg_namespace n on n.nspname = w.name join untrusted_role s on s.oid = n.nspowner
  where not s.joined and n.nspname <> 'dbt_deploy'
  union all
  {# As a former owner may have granted it: a new one keeps the grant. #}
  select 'create', quote_ident(n.nspname), array_agg(s.shown order by s.shown)
  from pg_namespace n join untrusted_role s on s.acts and s.oid <> n.nspowner
  where n.nspname in (select w.name from written w)
      and exists (select from aclexplode(n.nspacl) g where g.grantee = 0 and g.privilege_type = 'CREATE')
    or s.pulls and has_schema_privilege(s.oid, n.oid, 'CREATE') and n.nspname <> 'dbt_deploy'
      and n.nspname in (select w.name from written w union select r.name from read_schema r)
  group by n.oid, n.nspname
  union all
  select case when r.oid is null then 'unmade' else 'read schema' end, quote_ident(r.name), array_agg(s.shown order by s.shown)
  from read_schema r join untrusted_role s on s.pulls and case when r.oid is null
    then s.acts and has_database_privilege(s.oid, current_database(), 'CREATE') else s.oid = r.nspowner end
  group by r.oid, r.name
  union all
  select 'read', format('%s %I.%I', {{ dbtdeploy.postgres_dropped_as('c.relkind') }}, n.nspname, c.relname), array[s.shown]
  from reading r join pg_namespace n on n.nspname = r.schema join pg_class c on c.relnamespace = n.oid and c.relname = r.name
  join untrusted_role s on s.pulls and s.oid = c.relowner
  where c.oid not in (select f.oid from family f)
  union all
  select case when f.oid = f.root then 'relation' else 'partition' end, format('%I.%I', n.nspname, c.relname), array[s.shown]
  from family f join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace
  join untrusted_role s on s.oid = c.relowner where not s.joined
  union all
  select 'trigger', format('%I on %I.%I', t.tgname, n.nspname, c.relname), array[s.shown]
  from (select distinct oid from family) f join pg_trigger t on t.tgrelid = f.oid and not t.tgisinternal
  join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace
  join pg_proc p on p.oid = t.tgfoid join untrusted_role s on s.oid = p.proowner where not s.joined
  union all
  select 'may trigger', format('%I.%I', n.nspname, c.relname), array_agg(s.shown order by s.shown)
  from (select distinct oid from family) f join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace
  join untrusted_role s on s.pulls and s.acts and s.oid <> c.relowner and has_table_privilege(s.oid, c.oid, 'TRIGGER')
  group by c.oid, n.nspname, c.relname
  union all
  select * from ({{ dbtdeploy.postgres_own_schema_untrusted() }}) o
)
{# In the order in which they can be dropped: an operator before its function, that before its types. #}
select coalesce(json_agg(e order by kind, case left(name, 2) when 'op' then 1 when 'fu' then 2 else 3 end, name), '[]')
from untrusted e
)
{% endmacro %}


{#
  acts: whether somebody can log in as it. joined: whether it is a group that this role is a member of,
  and nobody logs in as it or as a member that cannot act as this role. pulls: whether pull requests build
  as it, or as a member of it.
#}
{% macro postgres_untrusted_roles() %}
pull_request_role as (
  select r.oid from pg_roles r where not r.rolsuper and not pg_has_role(r.oid, current_user, 'MEMBER')
    and ({{ dbtdeploy.postgres_is_declared('r.oid') }} or exists (select from pg_namespace n where n.nspowner = r.oid
      and {{ dbtdeploy.postgres_is_a_pull_requests('n.oid') }}))
),
untrusted_role as (
  select r.oid, quote_ident(r.rolname) as shown, r.rolcanlogin as acts, pg_has_role(current_user, r.oid, 'USAGE')
    and not r.rolcanlogin and not exists (select from pg_roles m where m.rolcanlogin and not m.rolsuper
      and pg_has_role(m.oid, r.oid, 'MEMBER') and not pg_has_role(m.oid, current_user, 'MEMBER')) as joined,
    exists (select from pull_request_role q where pg_has_role(q.oid, r.oid, 'MEMBER')) as pulls
  from pg_roles r join pg_database d on d.datname = current_database()
  where not r.rolsuper and not r.rolcreaterole and r.rolname !~ '^pg_' and not pg_has_role(r.oid, current_user, 'MEMBER')
    and not pg_has_role(r.oid, d.datdba, 'USAGE')
)
{% endmacro %}


{#
  Whether an administrator said that pull requests build as this role: nobody else may write a comment on a
  role. docs/set-up.md has the statement.
#}
{% macro postgres_is_declared(role) %}
coalesce(shobj_description({{ role }}, 'pg_authid') like '%dbt-deploy: pull requests%', false)
{% endmacro %}


{# Whether the schema bears the mark of a pull request or a branch, which its owner alone can write. #}
{% macro postgres_is_a_pull_requests(namespace) %}
exists (select from pg_description d where d.classoid = 'pg_namespace'::regclass and d.objoid = {{ namespace }} and d.objsubid = 0
  and d.description ~ '^dbt-deploy repository=\S* project=\S* target=\S* (pull_request|ref)=')
{% endmacro %}


{#
  Whether something is a pull request's and goes with what is rebuilt: the next build of the pull request
  makes it again, and a role of pull requests must not be able to keep production from being built.
#}
{% macro postgres_of_a_pull_request(owner, namespace) %}
({{ owner }} <> (select me.oid from pg_roles me where me.rolname = current_user)
  and ({{ dbtdeploy.postgres_is_declared(owner) }} or coalesce({{ dbtdeploy.postgres_is_a_pull_requests(namespace) }}, false)))
{% endmacro %}


{# The same of dbt_deploy, in which our own tables are: columns kind, name, roles. Needs postgres_untrusted_roles. #}
{% macro postgres_own_schema_untrusted() %}
select 'schema' as kind, 'dbt_deploy' as name, array[s.shown] as roles
from pg_namespace n join untrusted_role s on s.oid = n.nspowner where n.nspname = 'dbt_deploy' and not s.joined
union all
select 'create', 'dbt_deploy', array_agg(s.shown order by s.shown)
from pg_namespace n join untrusted_role s on s.acts and not s.joined and has_schema_privilege(s.oid, n.oid, 'CREATE')
  and s.oid <> n.nspowner
where n.nspname = 'dbt_deploy' group by n.oid
union all
select 'relation', format('dbt_deploy.%I', c.relname), array[s.shown]
from pg_namespace n join pg_class c on c.relnamespace = n.oid join untrusted_role s on s.oid = c.relowner
where n.nspname = 'dbt_deploy' and c.relkind in ('r', 'p', 'v', 'm', 'f') and not s.joined
union all
select 'trigger', format('%I on dbt_deploy.%I', t.tgname, c.relname), array[s.shown]
from pg_namespace n join pg_class c on c.relnamespace = n.oid join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
join pg_proc p on p.oid = t.tgfoid join untrusted_role s on s.oid = p.proowner
where n.nspname = 'dbt_deploy' and not s.joined
union all
{{ dbtdeploy.postgres_own_tables_misshapen() }}
{% endmacro %}


{#
  What bears the name of a table of ours and is not as we make it, whoever owns it: to read a view, or to
  write where there is a rule, a policy, a default or a child, can be to run a function.
#}
{% macro postgres_own_tables_misshapen() %}
select 'shape', format('%s dbt_deploy.%I', {{ dbtdeploy.postgres_dropped_as('c.relkind') }}, c.relname), array[quote_ident(pg_get_userbyid(c.relowner))]
from pg_namespace n join pg_class c on c.relnamespace = n.oid
where n.nspname = 'dbt_deploy'
  and c.relname in ('releases', 'fence', 'dbt_deployments', 'dbt_model_row_counts', 'removed_models', 'named_relations', 'released_relations', 'kept_foreign_keys', 'baselines', 'changed_tables')
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


{# The words of DROP. #}
{% macro postgres_dropped_as(relkind) %}
case {{ relkind }} when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW' when 'f' then 'FOREIGN TABLE' when 'S' then 'SEQUENCE'
  when 'c' then 'TYPE' when 'i' then 'INDEX' when 'I' then 'INDEX' else 'TABLE' end
{% endmacro %}


{#
  Before anything is read or written in dbt_deploy; the catalog alone is asked. Prints what is found as
  the answer, {untrusted: Preflight}, and returns whether there was any.
#}
{% macro postgres_own_schema_refused(job) %}
  {% set found = run_query(dbtdeploy.postgres_own_names_only() ~ 'with ' ~ dbtdeploy.postgres_untrusted_roles()
      ~ ', own(kind, name, roles) as (' ~ dbtdeploy.postgres_own_schema_untrusted() ~ ') select (select count(*) from own), '
      ~ dbtdeploy.postgres_answer("json_build_object('untrusted', json_build_object('role', quote_ident(current_user),"
        ~ " 'database', quote_ident(current_database()), 'untrusted_objects',"
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
      if exists (with {{ dbtdeploy.postgres_untrusted_roles() }} {{ dbtdeploy.postgres_schemas_of_others(names) }}) then
        raise exception using errcode = 'DD005', message = 'another role owns a schema that is written to',
          detail = (with {{ dbtdeploy.postgres_untrusted_roles() }}
            select json_agg(o order by o.name)::text from ({{ dbtdeploy.postgres_schemas_of_others(names) }}) o);
      end if;
{% endmacro %}

{% macro postgres_schemas_of_others(names) %}
select 'schema' as kind, quote_ident(n.nspname) as name, array[s.shown] as roles
from pg_namespace n join untrusted_role s on s.oid = n.nspowner and not s.joined
where n.nspname in (select w.name::name from ({{ names }}) w(name))
{% endmacro %}


{# Where a block makes schemas: what bears one of these names is somebody's who guessed or read it. #}
{% macro postgres_refuse_taken_names(names) %}
      if exists (select from pg_namespace n where n.nspname in (select w.name::name from ({{ names }}) w(name))) then
        raise exception using errcode = 'DD005', message = 'a schema is there that this transaction makes',
          detail = (select json_agg(json_build_object('kind', 'taken', 'name', quote_ident(n.nspname),
              'roles', json_build_array(quote_ident(pg_get_userbyid(n.nspowner)))) order by n.nspname)::text
            from pg_namespace n where n.nspname in (select w.name::name from ({{ names }}) w(name)));
      end if;
{% endmacro %}


{#
  For a block that uses our own tables: the look may be long ago, or not have been asked for. Once the
  schema is ours and closed to others, nobody else can put anything there; so it comes after what makes
  it, or finds that it is there.
#}
{% macro postgres_refuse_untrusted_roles() %}
  if not exists (select from pg_namespace n where n.nspname = 'dbt_deploy') then
    raise exception 'the schema dbt_deploy is not there';
  end if;
  if exists (with {{ dbtdeploy.postgres_untrusted_roles() }} {{ dbtdeploy.postgres_own_schema_untrusted() }}) then
    raise exception using errcode = 'DD005', message = 'another role can change what dbt-deploy keeps in the schema dbt_deploy',
      detail = (with {{ dbtdeploy.postgres_untrusted_roles() }}
        select json_agg(o order by o.kind, o.name)::text from ({{ dbtdeploy.postgres_own_schema_untrusted() }}) o);
  end if;
{% endmacro %}
