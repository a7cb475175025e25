{#
  What others make on a relation after a release: rights, row security, policies, triggers, comments. A rollback brings
  another relation to its place, and what changed since the release is done to that one, too. And foreign keys of
  relations that leave production, which would go on holding it.
#}

{#
  What is on a relation as {what: [statements that make it, statement that takes it away]}, in the name that it has now.
#}
{% macro postgres_attached(relation, full_name) %}
(with rel as (
    select c.oid as objid, c.relowner, c.relacl, c.relkind, c.relrowsecurity, c.relforcerowsecurity, {{ full_name }}::text as full_name,
      case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end as kind
    from pg_class c where c.oid = {{ relation }}::oid
  ), acl as (
    select g.*, null::name as name from rel cross join lateral aclexplode(coalesce(rel.relacl, acldefault('r', rel.relowner))) g
    union all
    select g.*, a.attname from rel join pg_attribute a on a.attrelid = rel.objid and a.attnum > 0 and not a.attisdropped cross join lateral aclexplode(a.attacl) g
  )
  select coalesce(jsonb_object_agg(s.what, jsonb_build_array(to_jsonb(s.made), to_jsonb(s.gone))), '{}') from (
    select format('right %s %s %s', g.privilege_type, r.grantee, g.name) as what,
      array[format('grant %s%s on %s to %s%s', g.privilege_type, ' (' || quote_ident(g.name) || ')', rel.full_name, r.grantee,
        case when g.is_grantable then ' with grant option' else '' end)] as made,
      format('revoke %s%s on %s from %s', g.privilege_type, ' (' || quote_ident(g.name) || ')', rel.full_name, r.grantee) as gone
    from rel cross join acl g cross join lateral (select case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end as grantee) r
    where g.grantee <> rel.relowner
    union all
    select 'comment ' || d.objsubid, array[format('comment on %s is %L', o.name, d.description)], format('comment on %s is null', o.name)
    from rel join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = rel.objid
    left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0
    cross join lateral (select case d.objsubid when 0 then rel.kind || ' ' || rel.full_name else format('column %s.%I', rel.full_name, a.attname) end as name) o
    union all
    select m.how || ' row level security', array[format('alter table %s %s row level security', rel.full_name, m.how)],
      format('alter table %s %s row level security', rel.full_name, m.back)
    from rel cross join lateral (values ('enable', 'disable', rel.relrowsecurity), ('force', 'no force', rel.relforcerowsecurity)) m(how, back, so) where m.so
    union all
    select format('%s %s', t.kind, t.part), {{ dbtdeploy.postgres_make_part() }}
        || case when t.enabled <> 'O' then array[format('alter table %s %s trigger %I', t.full_name,
          case t.enabled when 'D' then 'disable' when 'R' then 'enable replica' else 'enable always' end, t.part)] else '{}' end,
      format('drop %s if exists %I on %s', t.kind, t.part, t.full_name)
    from (
      select 'policy' as kind, q.polname as part, 'pg_policy'::regclass::oid as classid, q.oid as objid, rel.full_name, 'O' as enabled
        from rel join pg_policy q on q.polrelid = rel.objid
      union all
      select 'trigger', g.tgname, 'pg_trigger'::regclass, g.oid, rel.full_name, g.tgenabled::text
        from rel join pg_trigger g on g.tgrelid = rel.objid where not g.tgisinternal and g.tgparentid = 0 and rel.relkind in ('r', 'p', 'f')
    ) t
  ) s)
{% endmacro %}


{# In swap: what the release itself left on what it brought. #}
{% macro postgres_note_attached() %}
      delete from dbt_deploy.released_relations t where not exists (select from pg_class c where c.oid = t.oid::oid);
      insert into dbt_deploy.released_relations (environment, project, release_id, oid, attached)
        select job ->> 'environment', job ->> 'project', job ->> 'release_id', (value ->> 'new')::bigint, {{ dbtdeploy.postgres_attached("(p.value ->> 'new')", "p.value ->> 'full_name'") }}
        from jsonb_array_elements(pairs) p;
{% endmacro %}


{# In take-back, before anything moves: `reattach` [{name, statements}], what changed since on what is live. #}
{% macro postgres_find_reattached() %}
      reattach := '[]';
      for it in select value ->> 'name' as name, (value ->> 'oid')::oid as oid from jsonb_array_elements(replaced)
          where to_regclass('dbt_deploy.released_relations') is not null loop
        reattach := reattach || coalesce((select jsonb_build_object('name', it.name, 'statements', jsonb_agg(s.statement order by s.step, s.statement))
          from dbt_deploy.released_relations r
          cross join lateral (
            select was.how as was, now.how as now from jsonb_each(r.attached) as was(what, how)
            full join jsonb_each({{ dbtdeploy.postgres_attached('it.oid', 'it.name') }}) as now(what, how) on now.what = was.what
            where now.how is distinct from was.how
          ) d
          cross join lateral (
            select 1 as step, coalesce(d.now, d.was) ->> 1 as statement
            union all
            select 2, x.statement from jsonb_array_elements_text(d.now -> 0) x(statement)
          ) s
          where r.environment = job ->> 'environment' and r.project = job ->> 'project' and r.oid = it.oid::bigint
          having count(*) > 0), '[]');
      end loop;
{% endmacro %}

{# What the relation that came back does not have, such as a column with a comment, is left out. #}
{% macro postgres_reattach() %}
      for it in select r.value ->> 'name' as name, s.statement from jsonb_array_elements(reattach) r
          cross join lateral jsonb_array_elements_text(r.value -> 'statements') with ordinality s(statement, n)
          where to_regclass(r.value ->> 'name') is not null order by r.value ->> 'name', s.n loop
        begin
          execute it.statement;
        exception
          when lock_not_available or deadlock_detected then
            raise;
          when undefined_column or undefined_object or undefined_table or wrong_object_type then
            null;
          when others then
            said := array[it.statement || ': ' || sqlerrm];
            raise exception using errcode = 'DD002', message = said[1];
        end;
      end loop;
{% endmacro %}


{#
  Foreign keys of relations that left, to what stays: a kept row would keep production from deleting what it refers
  to. `relations`: an array of oids. They are told to the loop variable `part`.
#}
{% macro postgres_foreign_keys_of(relations) %}
select k.conrelid as oid, k.conname as name, k.conrelid::regclass::text as held_by, pg_get_constraintdef(k.oid) as definition, k.convalidated as valid
  from pg_constraint k where k.contype = 'f' and k.conparentid = 0 and k.conrelid = any ({{ relations }}) and k.confrelid <> all ({{ relations }})
{% endmacro %}

{# In swap, once the old relations lie in keeping schemas. #}
{% macro postgres_let_go_of_production() %}
      for part in {{ dbtdeploy.postgres_foreign_keys_of('leaving') }} loop
        insert into dbt_deploy.kept_foreign_keys (environment, project, release_id, oid, name, definition)
          values (job ->> 'environment', job ->> 'project', job ->> 'release_id', part.oid::bigint, part.name, part.definition);
        execute format('alter table %s drop constraint %I', part.held_by, part.name);
      end loop;
{% endmacro %}

{#
  In take-back: those of what goes out end, those of what came back are made again. NOT VALID, so that nobody waits for a
  look at each row; it is validated after the commit.
#}
{% macro postgres_foreign_keys_back() %}
      for part in {{ dbtdeploy.postgres_foreign_keys_of("array(select oid from unnest(moved) oid where oid::bigint::text not in (select value from jsonb_each_text(spots) where value is not null))") }} loop
        execute format('alter table %s drop constraint %I', part.held_by, part.name);
      end loop;
      for it in select k.oid::oid::regclass::text as held_by, k.name, k.definition from dbt_deploy.kept_foreign_keys k
          where k.environment = job ->> 'environment' and k.project = job ->> 'project' and k.oid::text in (select value from jsonb_each_text(spots))
            and not exists (select from pg_constraint c where c.conrelid = k.oid::oid and c.conname = k.name) loop
        begin
          execute format('alter table %s add constraint %I %s%s', it.held_by, it.name, it.definition, case when it.definition ~ ' NOT VALID$' then '' else ' NOT VALID' end);
        exception
          when lock_not_available or deadlock_detected then
            raise;
          {# What it refers to was made anew by a build, which drops it all the same. #}
          when others then
            said := said || format('the foreign key %I of %s is not made again: %s', it.name, it.held_by, sqlerrm);
        end;
      end loop;
{% endmacro %}

{# In a transaction of its own after the commit: reads each row, and stops neither readers nor writers. #}
{% macro postgres_validate_block() %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  it record;
begin
  if to_regclass('dbt_deploy.kept_foreign_keys') is not null then
    perform set_config('lock_timeout', '5s', true);
    for it in select k.oid::oid::regclass::text as held_by, k.name from dbt_deploy.kept_foreign_keys k
        join pg_constraint c on c.conrelid = k.oid::oid and c.conname = k.name and not c.convalidated
        where k.environment = job ->> 'environment' and k.project = job ->> 'project' and k.definition !~ ' NOT VALID$' loop
      begin
        execute format('alter table %s validate constraint %I', it.held_by, it.name);
      exception when others then
        null;
      end;
    end loop;
  end if;
end
{% endmacro %}
