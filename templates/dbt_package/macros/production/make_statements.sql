{#
  The statements that make each `thing` again just as it is, in their order: definition, owner, grants,
  comments. `there` is an SQL expression: it is there, or is no longer wanted. `ours` is what this very
  role owns: to make a materialized view again is to run its functions, so another role's stay its own,
  whoever is a member of it. `pull_request`: it may go, see postgres_of_a_pull_request.
#}
{% macro postgres_statements() %}
{{ dbtdeploy.postgres_grants() }},
hanging as (
  select t.key, t.kind, t.schema, t.name, quote_ident(pg_get_userbyid(t.owner)) as owner, t.gone,
    case when t.holder is null then t.full_name else format('%I on %s', t.part, t.full_name) end as full_name,
    t.owner = (select r.oid from pg_roles r where r.rolname = current_user) as ours,
    {{ dbtdeploy.postgres_of_a_pull_request('t.owner', 't.namespace') }} as pull_request,
    coalesce(e.parents, '{}') as parents,
    case when t.holder is not null then {{ dbtdeploy.postgres_part_is_there() }}
         when t.classid = 'pg_proc'::regclass then format(
           'exists (select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace'
           ' where n.nspname = %L and p.proname = %L and pg_catalog.pg_get_function_identity_arguments(p.oid) = %L)',
           t.schema, t.name, pg_get_function_identity_arguments(t.objid))
         else format('pg_catalog.to_regclass(%L) is not null', t.full_name)
    end as there,
    case when t.holder is not null then {{ dbtdeploy.postgres_make_part() }}
         when t.classid = 'pg_proc'::regclass then {{ dbtdeploy.postgres_make_function() }}
         else {{ dbtdeploy.postgres_make_view() }}
    end as statements
  from thing t
  left join (select key, array_agg(parent) as parents from edge where parent <> key group by key) e
    on e.key = t.key
  left join granting g on g.key = t.key
)
{% endmacro %}


{#
  `made_with` is whom default privileges give something on an object that this role makes: that is taken
  back before what was granted is granted again.
#}
{% macro postgres_grants() %}
acl as (
  select t.key, t.objid, t.owner, t.namespace, 'r'::"char" as type, 'table ' || t.full_name as place, c.relacl as acl
  from thing t join pg_class c on c.oid = t.objid where t.holder is null and t.classid = 'pg_class'::regclass
  union all
  select t.key, t.objid, t.owner, t.namespace, 'f', 'routine ' || t.full_name, p.proacl
  from thing t join pg_proc p on p.oid = t.objid where t.classid = 'pg_proc'::regclass
),
made_with as (
  select distinct a.key, g.grantee
  from acl a
  join pg_default_acl d on d.defaclobjtype = a.type and d.defaclnamespace in (0, a.namespace)
  join pg_roles r on r.oid = d.defaclrole and r.rolname = current_user
  cross join lateral aclexplode(d.defaclacl) g
  where g.grantee not in (a.owner, r.oid)
  union
  select key, 0 from acl where type = 'f' and acl is not null
),
{# Whose owner has not just what an owner has by default. #}
own_way as (
  select a.key, a.owner from acl a where a.acl is not null and exists (
    (select privilege_type, is_grantable from aclexplode(acldefault(a.type, a.owner))
      except select privilege_type, is_grantable from aclexplode(a.acl) where grantee = a.owner)
    union all
    (select privilege_type, is_grantable from aclexplode(a.acl) where grantee = a.owner
      except select privilege_type, is_grantable from aclexplode(acldefault(a.type, a.owner))))
),
granted as (
  select a.key, a.place, g.grantee, g.is_grantable, string_agg(g.privilege_type, ', ' order by g.privilege_type) as privileges
  from acl a cross join lateral aclexplode(coalesce(a.acl, acldefault(a.type, a.owner))) g
  where (a.acl is not null or a.key in (select m.key from made_with m))
    and (g.grantee <> a.owner or a.key in (select o.key from own_way o))
  group by 1, 2, 3, 4
),
granting as (
  select key, array_agg(statement order by step, statement) as statements
  from (
    select a.key, 1 as step, format('revoke all on %s from %s', a.place, w.role) as statement
    from acl a join (
      select key, grantee from made_with
      union
      select key, owner from own_way
    ) m on m.key = a.key
    cross join lateral (select case m.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(m.grantee)) end as role) w
    union all
    select g.key, 2, format('grant %s on %s to %s%s', g.privileges, g.place,
      case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end,
      case when g.is_grantable then ' with grant option' else '' end)
    from granted g
    union all
    select a.key, 3, format('grant %s (%I) on %s to %s%s', g.privilege_type, c.attname, a.place,
      case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end,
      case when g.is_grantable then ' with grant option' else '' end)
    from acl a join pg_attribute c on a.type = 'r' and c.attrelid = a.objid and c.attacl is not null
    cross join lateral aclexplode(c.attacl) g
  ) s
  group by 1
)
{% endmacro %}


{% macro postgres_make_view() %}
  array(select format('create %s %s%s%s as %s%s', t.kind, t.full_name,
      ' with (' || (select string_agg(format('%s=%L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ')
        from unnest(c.reloptions) o) || ')',
      ' tablespace ' || (select quote_ident(s.spcname) from pg_tablespace s where s.oid = c.reltablespace),
      rtrim(pg_get_viewdef(t.objid), ';'),
      case when c.relkind = 'v' then '' when c.relispopulated then ' with data' else ' with no data' end)
    from pg_class c where c.oid = t.objid)
  || array(select format('alter view %s alter column %I set default %s', t.full_name, a.attname, pg_get_expr(d.adbin, d.adrelid))
    from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where d.adrelid = t.objid order by a.attnum)
  || array(select pg_get_indexdef(i.indexrelid) from pg_index i where i.indrelid = t.objid order by i.indexrelid)
  || array(select format('alter materialized view %s cluster on %I', t.full_name, c.relname)
    from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = t.objid and i.indisclustered)
  || array(select pg_get_statisticsobjdef(x.oid) from pg_statistic_ext x where x.stxrelid = t.objid order by x.oid)
  || array(select pg_get_ruledef(w.oid) from pg_rewrite w
    where w.ev_class = t.objid and w.rulename <> '_RETURN' order by w.oid)
  || array(select pg_get_triggerdef(g.oid) from pg_trigger g where g.tgrelid = t.objid and not g.tgisinternal order by g.oid)
  || array(select format('comment on %s is %L', case
        when d.objsubid <> 0 then format('column %s.%I', t.full_name, a.attname) else t.kind || ' ' || t.full_name end,
        d.description)
    from pg_description d left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0
    where d.classoid = 'pg_class'::regclass and d.objoid = t.objid order by d.objsubid)
  || array(select format('comment on index %I.%I is %L', t.schema, c.relname, d.description)
    from pg_index i join pg_class c on c.oid = i.indexrelid
    join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = i.indexrelid
    where i.indrelid = t.objid order by i.indexrelid)
  || array(select format('alter %s %s owner to %I', t.kind, t.full_name, pg_get_userbyid(t.owner))
    where pg_get_userbyid(t.owner) <> current_user)
  || coalesce(g.statements, '{}')
{% endmacro %}


{% macro postgres_make_function() %}
  array[pg_get_functiondef(t.objid)]
  || array(select format('comment on routine %s is %L', t.full_name, d.description)
    from pg_description d where d.classoid = 'pg_proc'::regclass and d.objoid = t.objid)
  || array(select format('alter routine %s owner to %I', t.full_name, pg_get_userbyid(t.owner))
    where pg_get_userbyid(t.owner) <> current_user)
  || coalesce(g.statements, '{}')
{% endmacro %}


{# A table that was made anew, or is gone, has the parts that it is meant to have. #}
{% macro postgres_part_is_there() %}
  format('coalesce(pg_catalog.to_regclass(%L)::pg_catalog.oid <> %s, true) or exists (%s)', t.full_name, t.holder,
    case t.classid
      when 'pg_constraint'::regclass then format(
        'select from pg_catalog.pg_constraint where conrelid = %s and conname = %L', t.holder,
        (select k.conname from pg_constraint k where k.oid = t.objid))
      when 'pg_policy'::regclass then format(
        'select from pg_catalog.pg_policy where polrelid = %s and polname = %L', t.holder,
        (select p.polname from pg_policy p where p.oid = t.objid))
      when 'pg_rewrite'::regclass then format(
        'select from pg_catalog.pg_rewrite where ev_class = %s and rulename = %L', t.holder,
        (select w.rulename from pg_rewrite w where w.oid = t.objid))
      when 'pg_trigger'::regclass then format(
        'select from pg_catalog.pg_trigger where tgrelid = %s and tgname = %L', t.holder,
        (select g.tgname from pg_trigger g where g.oid = t.objid))
      else (select format('select from pg_catalog.pg_attrdef where adrelid = %s and adnum = %s', d.adrelid, d.adnum)
        from pg_attrdef d where d.oid = t.objid)
    end)
{% endmacro %}


{% macro postgres_make_part() %}
  case t.classid
    when 'pg_constraint'::regclass then array(
      select format('alter table %s add constraint %I %s', t.full_name, k.conname, pg_get_constraintdef(k.oid))
      from pg_constraint k where k.oid = t.objid)
    when 'pg_policy'::regclass then array(
      select format('create policy %I on %s as %s for %s to %s%s%s', p.polname, t.full_name,
        case when p.polpermissive then 'permissive' else 'restrictive' end,
        case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
          when 'd' then 'delete' else 'all' end,
        (select string_agg(case r when 0 then 'public' else quote_ident(pg_get_userbyid(r)) end, ', ')
          from unnest(p.polroles) r),
        ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
        ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
      from pg_policy p where p.oid = t.objid)
    when 'pg_rewrite'::regclass then array[pg_get_ruledef(t.objid)]
    when 'pg_trigger'::regclass then array[pg_get_triggerdef(t.objid)]
    else array(
      select format('alter table %s alter column %I set default %s', t.full_name, a.attname, pg_get_expr(d.adbin, d.adrelid))
      from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
      where d.oid = t.objid)
  end
{% endmacro %}
