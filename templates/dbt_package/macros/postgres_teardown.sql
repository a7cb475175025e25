{% macro postgres__marked_schemas(prefix) %}
  {% do dbtdeploy.refuse_heirs('postgres', 'marked_schemas') %}
  {{ return(dbtdeploy.postgres_schemas(
      'left(d.description, length(' ~ dbtdeploy.literal(prefix) ~ ')) = ' ~ dbtdeploy.literal(prefix))) }}
{% endmacro %}

{% macro postgres__schemas_named(name) %}
  {% do dbtdeploy.refuse_heirs('postgres', 'schemas_named') %}
  {{ return(dbtdeploy.postgres_schemas(
      "strpos('_' || n.nspname || '_', " ~ dbtdeploy.literal('_' ~ name ~ '_') ~ ') > 0')) }}
{% endmacro %}

{# As one JSON value, for a table's columns would be read as numbers and dates where they look so. #}
{% macro postgres_schemas(condition) %}
  {% set found = run_query(dbtdeploy.postgres_own_names_only() ~
      "select coalesce(json_agg(json_build_object('database', current_database(), 'schema', n.nspname,"
      ~ " 'comment', coalesce(d.description, '')) order by n.nspname), '[]')::text"
      ~ " from pg_namespace n left join pg_description d on d.objoid = n.oid and d.objsubid = 0"
      ~ " and d.classoid = 'pg_namespace'::regclass where " ~ condition) %}
  {{ return(fromjson(found.rows[0][0])) }}
{% endmacro %}


{#
  Where a pull request's role may create in the schema public, an operator there that fits our types
  better than PostgreSQL's own would run with the rights of who tears down (CVE-2018-1058).
#}
{% macro postgres_own_names_only() %}
  {{ return("select pg_catalog.set_config('search_path', '', true);\n") }}
{% endmacro %}


{#
  Between create_marked_schema_sql and a teardown, of a pull request's schemas: whoever comes second sees what
  the first did. Anybody who can connect can hold it, so nothing of production's waits for it.
#}
{% macro postgres_lock(schema) %}
  {{ return("pg_advisory_xact_lock(hashtext('dbt-deploy'), hashtext(" ~ schema ~ '))') }}
{% endmacro %}

{#
  One statement string is one transaction: the comments are read again, and what hangs on the schemas
  is looked up, under the locks that the drop needs; a waiting build or view is seen, not overrun. The
  names go in as a value: a comment can hold whatever would end a dollar-quoted string.
#}
{% macro postgres__drop_marked_schemas(schemas, by_owner, dry_run) %}
  {% do dbtdeploy.refuse_heirs('postgres', 'drop_marked_schemas') %}
  {% set job = {'schemas': schemas, 'by_owner': by_owner, 'dry_run': dry_run} %}
  {% set told = run_query(dbtdeploy.postgres_own_names_only() ~
      "select set_config('dbt_deploy.job', " ~ dbtdeploy.literal(tojson(job)) ~ ', true);\n'
      ~ dbtdeploy.postgres_drop_block() ~ ";\nselect current_setting('dbt_deploy.told')") %}
  {% do dbtdeploy.end_transaction() %}
  {{ return(fromjson(told.rows[0][0])) }}
{% endmacro %}

{#
  A lock that is not to be had at once undoes what was locked and is tried again for twenty seconds: a
  build that was cancelled has ended its query by then. The timeout lies below PostgreSQL's
  deadlock_timeout of 1 s, which might end the build's statement instead of this one; and a foreign key
  to production's table needs a lock on that, behind which its readers queue. It and the outcome are
  set for this transaction only.
#}
{% macro postgres_drop_block() %}
do $dbt_deploy$
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  wanted jsonb;
  it record;
  going text[];
  leaving text[];
  told jsonb;
begin
  perform set_config('lock_timeout', '900ms', true);
  for attempt in 1 .. 15 loop
    begin
      going := '{}';
      told := '[]';

      for wanted in select value from jsonb_array_elements(job -> 'schemas') order by value ->> 'schema' loop
        -- A release's schemas are made once, by the run that has the fence, and anybody could hold this lock.
        if split_part(wanted ->> 'comment', chr(10), 1) !~ ' role=(staging|kept|undone)$' then
          perform {{ dbtdeploy.postgres_lock("wanted ->> 'schema'") }};
        end if;
        select coalesce(obj_description(n.oid, 'pg_namespace'), '') as comment,
               pg_get_userbyid(n.nspowner) as owner, pg_has_role(n.nspowner, 'usage') as ours
          into it from pg_namespace n where n.nspname = wanted ->> 'schema';
        if not found then
          told := told || jsonb_build_object('schema', wanted -> 'schema', 'outcome', 'gone');
        elsif not (it.comment = wanted ->> 'comment' or (job ->> 'by_owner')::bool
                   and split_part(it.comment, chr(10), 1) = split_part(wanted ->> 'comment', chr(10), 1)) then
          told := told || jsonb_build_object('schema', wanted -> 'schema', 'outcome', 'changed',
                                             'detail', jsonb_build_array(it.comment));
        elsif not it.ours then
          told := told || jsonb_build_object('schema', wanted -> 'schema', 'outcome', 'foreign',
                                             'detail', jsonb_build_array(it.owner, current_user));
        else
          going := going || (wanted ->> 'schema');
        end if;
      end loop;

      -- An owner that stays the same changes nothing, and takes the lock that a drop takes. LOCK TABLE
      -- would lock what a view reads, too: production.
      if not (job ->> 'dry_run')::bool then
        for it in
          select format('alter table %I.%I owner to %I', n.nspname, c.relname, pg_get_userbyid(c.relowner)) as lock
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = any (going) and c.relkind in ('r', 'p', 'v', 'm', 'f')
             and pg_has_role(c.relowner, 'usage')
           order by n.nspname, c.relname
        loop
          execute it.lock;
        end loop;
      end if;

      -- A schema that stays may hold what hangs on another one, which then stays too.
      loop
        leaving := '{}';
        for it in
          with inside as (
            select 'pg_namespace'::regclass::oid as classid, n.oid as objid, n.nspname
              from pg_namespace n where n.nspname = any (going)
            union
            select d.classid, d.objid, n.nspname from pg_namespace n join pg_depend d
                on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
              where n.nspname = any (going) and d.deptype = 'n'
                and d.classid <> 'pg_extension'::regclass
            union
            select 'pg_class'::regclass, c.oid, n.nspname
              from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = any (going)
            union
            select 'pg_type'::regclass, t.oid, n.nspname
              from pg_type t join pg_namespace n on n.oid = t.typnamespace where n.nspname = any (going)
            union
            select 'pg_constraint'::regclass, k.oid, n.nspname
              from pg_constraint k join pg_namespace n on n.oid = k.connamespace where n.nspname = any (going)
          ), hanging as (
            -- What a drop without CASCADE would refuse, and partitions, which it would not. Rules,
            -- defaults, triggers and policies belong to a relation.
            select i.nspname, coalesce(r.ev_class, a.adrelid, t.tgrelid, p.polrelid) as relation,
                   case when r.oid is null then d.classid else 'pg_class'::regclass end as classid,
                   coalesce(r.ev_class, d.objid) as objid, '' as what
              from inside i join pg_depend d on d.refclassid = i.classid and d.refobjid = i.objid
              left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
              left join pg_attrdef a on d.classid = 'pg_attrdef'::regclass and a.oid = d.objid
              left join pg_trigger t on d.classid = 'pg_trigger'::regclass and t.oid = d.objid
              left join pg_policy p on d.classid = 'pg_policy'::regclass and p.oid = d.objid
             where d.deptype = 'n' or (d.deptype = 'a' and d.classid = 'pg_class'::regclass)
            union all
            -- What a table of others has here: a partition depends on its table, and not the other way.
            select n.nspname, h.inhparent, 'pg_class'::regclass, h.inhparent, 'the rows here of '
              from pg_inherits h join pg_class c on c.oid = h.inhrelid and c.relkind in ('r', 'p', 'f')
              join pg_namespace n on n.oid = c.relnamespace where n.nspname = any (going)
          )
          select h.nspname, array_agg(distinct h.what || o.type || ' ' || o.identity) as objects
            from hanging h
            cross join lateral pg_identify_object(h.classid, h.objid, 0) o
            left join pg_class c on c.oid = coalesce(h.relation, case when h.classid = 'pg_class'::regclass then h.objid end)
            left join pg_namespace n on n.oid = c.relnamespace
           where coalesce(coalesce(n.nspname::text, o.schema) <> all (going), true)
           group by h.nspname
        loop
          leaving := leaving || it.nspname::text;
          told := told || jsonb_build_object('schema', it.nspname, 'outcome', 'depended', 'detail', it.objects);
        end loop;
        exit when leaving = '{}';
        going := array(select name from unnest(going) as name where name <> all (leaving));
      end loop;

      if going <> '{}' and not (job ->> 'dry_run')::bool then
        execute (select 'drop schema ' || string_agg(format('%I', name), ', ') || ' cascade' from unnest(going) as name);
      end if;
      select told || coalesce(jsonb_agg(jsonb_build_object('schema', name, 'outcome', 'dropped')), '[]')
        into told from unnest(going) as name;
      exit;
    exception
      when lock_not_available or deadlock_detected then
        {{ dbtdeploy.postgres_told_of_each('busy') }}
        perform pg_sleep(0.5);
      when others then
        {{ dbtdeploy.postgres_told_of_each('failed') }}
        exit;
    end;
  end loop;
  perform set_config('dbt_deploy.told', told::text, true);
end
$dbt_deploy$
{% endmacro %}


{# Of a schema of another role that alone is told: nobody else decides what a pull request's comment names. #}
{% macro postgres_told_of_each(outcome) %}
select jsonb_agg(case when pg_has_role(n.nspowner, 'usage') or n.oid is null
    then jsonb_build_object('schema', s.value -> 'schema', 'outcome', '{{ outcome }}', 'detail', jsonb_build_array(sqlerrm))
    else jsonb_build_object('schema', s.value -> 'schema', 'outcome', 'foreign',
      'detail', jsonb_build_array(pg_get_userbyid(n.nspowner), current_user)) end)
  into told from jsonb_array_elements(job -> 'schemas') s left join pg_namespace n on n.nspname = s.value ->> 'schema';
{% endmacro %}
