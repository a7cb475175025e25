{#
  Drops what was kept long enough, never what something else hangs on.

  job:
    token, quote
    environment, project
    prefix        what the marks of this environment and project begin with
    keep_hours    age of keeping, undone and left-over staging schemas
    grace_days    age of relations whose nodes left the project
    spots         [{unique_id, schema, identifier}] of its nodes
    sources       the same of the relations that it reads as sources
    dry_run
  answer: [{name, outcome, why, detail}], see `CleanedUp` in scripts/dbtdeploy/warehouse/release_macro_types.py
#}
{% macro release_clean_up(job) %}
  {{ return(adapter.dispatch('release_clean_up', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__release_clean_up(job) %}
  {{ dbtdeploy.no_macro('release_clean_up') }}
{% endmacro %}

{% macro postgres__release_clean_up(job) %}
  {{ dbtdeploy.postgres_itself('release_clean_up') }}
  {% if dbtdeploy.postgres_own_schema_refused(job) %}
    {{ return('') }}
  {% endif %}
  {% set told = [] %}
  {% for group in dbtdeploy.kept_schemas(job) %}
    {% if group.due %}
      {% for one in dbtdeploy.drop_marked_schemas(group.schemas, false, job.dry_run) if one.outcome != 'gone' %}
        {% do told.append(dbtdeploy.cleaned_schema(one, group, job.dry_run)) %}
      {% endfor %}
    {% else %}
      {% for one in group.schemas %}
        {% do told.append({'name': 'schema ' ~ one.schema, 'outcome': 'stays', 'why': group.why}) %}
      {% endfor %}
    {% endif %}
  {% endfor %}
  {% set models = fromjson(dbtdeploy.postgres_do(job, dbtdeploy.postgres_clean_models_block(), plain=true)) %}
  {% do dbtdeploy.end_transaction() %}
  {% do print(job.token ~ tojson(models if models.untrusted else told + models)) %}
{% endmacro %}


{#
  The schemas of each release, those that go by their age: the second line of a mark says since when,
  and one that says nothing stays.
#}
{% macro kept_schemas(job) %}
  {% set found = run_query(dbtdeploy.postgres_own_names_only() ~ dbtdeploy.postgres_kept_schemas(job)) %}
  {{ return(fromjson(found.rows[0][0][1:])) }}
{% endmacro %}

{% macro postgres_kept_schemas(job) %}
select 'x' || coalesce(json_agg(json_build_object('schemas', schemas, 'due', due, 'why', case
    when not ours then 'it belongs to another role, whose mark is not trusted'
    when since is null then 'its mark does not say since when'
    else format('%s since %s, kept for %s', role, to_char(since at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), '{{ job.keep_hours | int }} hour{{ "s" if job.keep_hours | int != 1 }}')
  end) order by since, line), '[]')::text
from (
  select line, role, ours, min(since) as since,
    ours and coalesce(bool_and(since < now() - make_interval(hours => {{ job.keep_hours | int }})), false) as due,
    json_agg(json_build_object('database', current_database(), 'schema', name, 'comment', comment) order by name) as schemas
  from (
    select n.nspname as name, d.description as comment, split_part(d.description, chr(10), 1) as line,
      substring(split_part(d.description, chr(10), 1) from ' role=(staging|kept|undone)$') as role,
      pg_has_role(n.nspowner, 'USAGE') as ours,
      {{ dbtdeploy.postgres_marked_since("split_part(d.description, chr(10), 2)") }} as since
    from pg_namespace n join pg_description d on d.objoid = n.oid and d.objsubid = 0 and d.classoid = 'pg_namespace'::regclass
    where left(d.description, length({{ dbtdeploy.literal(job.prefix) }})) = {{ dbtdeploy.literal(job.prefix) }}
  ) marked where role is not null group by line, role, ours
) grouped
{% endmacro %}

{# Null where it is no date. A day too many for its month is one of the next: no cast can fail here. #}
{% macro postgres_marked_since(line) %}
(select ((m[1] || '-01')::date + (m[2]::int - 1) + m[3]::time) at time zone 'UTC'
  from regexp_match({{ line }}, '^(?:staging|kept|undone) since ([12]\d{3}-(?:0[1-9]|1[0-2]))-(0[1-9]|[12]\d|3[01])T'
    || '((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?)\+00:00$') m)
{% endmacro %}


{% macro cleaned_schema(one, group, dry_run) %}
  {% set result = {'name': 'schema ' ~ one.schema, 'outcome': 'stays', 'why': group.why, 'detail': one.detail | default([])} %}
  {% if one.outcome == 'dropped' %}
    {% do result.update({'outcome': 'would drop' if dry_run else 'dropped'}) %}
  {% elif one.outcome == 'depended' %}
    {% do result.update({'why': 'something outside hangs on it'}) %}
  {% elif one.outcome == 'busy' %}
    {% do result.update({'outcome': 'busy', 'why': 'somebody works in it'}) %}
  {% elif one.outcome == 'foreign' %}
    {% do result.update({'outcome': 'failed', 'why': 'it belongs to ' ~ one.detail[0]}) %}
  {% elif one.outcome == 'changed' %}
    {% do result.update({'why': 'its mark was changed meanwhile'}) %}
  {% else %}
    {% do result.update({'outcome': 'failed', 'why': 'the warehouse refused'}) %}
  {% endif %}
  {{ return(result) }}
{% endmacro %}


{#
  Relations of nodes that left the project. One that was made anew since, by whomever, is in use; so is
  one that another node goes on with as it is, such as an incremental model under a new name, and one that
  anybody reads or writes. A drop without CASCADE: what hangs on it keeps it, by PostgreSQL's own word.
#}
{% macro postgres_clean_models_block() %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  dry constant bool := (job ->> 'dry_run')::bool;
  told jsonb := '[]';
  outcome text; why text; detail text[];
  it record; part record; counted bigint;
begin
  if to_regclass('dbt_deploy.removed_models') is not null then
    {{ dbtdeploy.postgres_refuse_untrusted_roles() }}
    {{ dbtdeploy.postgres_note_named() }}
    perform set_config('lock_timeout', '250ms', true);
    for it in
      select m.unique_id, m.schema, m.identifier, m.removed_at, m.xmin as noted, c.oid, c.relowner,
        format('%I.%I', m.schema, m.identifier) as name, c.oid::bigint is distinct from m.oid as anew,
        case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end as kind,
        s.unique_id = m.unique_id as back, s.unique_id is not null as taken_over,
        m.removed_at < now() - make_interval(days => (job ->> 'grace_days')::int) as due
      from dbt_deploy.removed_models m
      left join pg_namespace n on n.nspname = m.schema::name
      left join pg_class c on c.relnamespace = n.oid and c.relname = m.identifier::name
      left join lateral (select s.unique_id from jsonb_to_recordset(job -> 'spots') as s(unique_id text, schema text, identifier text)
        where s.schema::name = m.schema::name and s.identifier::name = m.identifier::name limit 1) s on true
      where m.environment = job ->> 'environment' and m.project = job ->> 'project'
      {# What was made last may hang on what was made before. #}
      order by c.oid desc
    loop
      detail := '{}';
      outcome := 'stays';
      why := null;
      if it.back then
        why := 'its node is in the project again';
      elsif it.taken_over then
        why := 'another node of the project has its place now';
      elsif it.oid is null then
        why := 'it is gone already';
      elsif it.anew then
        why := 'it was made anew since its node left the project';
      elsif not it.due then
        continue when not dry;
        why := format('its node left the project on %s, kept for %s days', to_char(it.removed_at at time zone 'UTC', 'YYYY-MM-DD'), job ->> 'grace_days');
      elsif not pg_has_role(it.relowner, 'usage') then
        outcome := 'failed';
        why := 'it belongs to ' || pg_get_userbyid(it.relowner);
      else
        {{ dbtdeploy.postgres_find_users() }}
        if detail <> '{}' then
          why := 'something reads or writes it';
        else
          {{ dbtdeploy.postgres_drop_removed() }}
        end if;
      end if;
      if (it.taken_over or it.oid is null or it.anew or outcome = 'dropped') and not dry then
        delete from dbt_deploy.removed_models m where m.environment = job ->> 'environment'
          and m.project = job ->> 'project' and m.schema = it.schema and m.identifier = it.identifier;
      end if;
      if it.oid is not null then
        told := told || jsonb_build_object('name', it.kind || ' ' || it.name, 'outcome', outcome, 'why', why, 'detail', detail);
      end if;
    end loop;
  end if;
  {{ dbtdeploy.postgres_tell('told') }}
end
{% endmacro %}

{#
  What this project names, for the clean-ups of others in this database: each knows only the store of its own
  project.
#}
{% macro postgres_note_named() %}
    if not dry and has_table_privilege(to_regclass('dbt_deploy.named_relations'), 'SELECT, INSERT, DELETE') then
      {{ dbtdeploy.postgres_identify_rows("to_regclass('dbt_deploy.named_relations')") }}
      delete from dbt_deploy.named_relations n where n.environment = job ->> 'environment' and n.project = job ->> 'project';
      insert into dbt_deploy.named_relations (environment, project, unique_id, schema, identifier, noted_at)
        select job ->> 'environment', job ->> 'project', s.unique_id, s.schema, s.identifier, now()
        from jsonb_to_recordset((job -> 'spots') || (job -> 'sources')) as s(unique_id text, schema text, identifier text);
    end if;
{% endmacro %}

{#
  Into `detail`, who reads or writes the relation and does not hang on it: dbt projects that name it, what
  PostgreSQL drops along without a word, functions whose text names it, and whoever it was since its node left.
  Written is what is younger than the row that remembers it. A sample of all rows counts as no scan, or a dry
  run would itself have read it; the time of the last scan is known from PostgreSQL 16 on.
#}
{% macro postgres_find_users() %}
        detail := array(
          select format('this project reads it as %s', s.unique_id) from jsonb_to_recordset(job -> 'sources') as s(unique_id text, schema text, identifier text)
            where s.schema::name = it.schema::name and s.identifier::name = it.identifier::name
          union all
          select format('publication %I', p.pubname) from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where r.prrelid = it.oid
          union all
          select format('it is a part of %s', i.inhparent::regclass) from pg_inherits i where i.inhrelid = it.oid
          union all
          select format('%s %I.%I names it', case p.prokind when 'p' then 'procedure' else 'function' end, n.nspname, p.proname)
            from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname not in ('pg_catalog', 'information_schema') and p.prosrc ~* format('(^|[^\w$])%s\.%s($|[^\w$])', {{ dbtdeploy.postgres_as_spelled('it.schema') }}, {{ dbtdeploy.postgres_as_spelled('it.identifier') }})
          order by 1);
        if to_regclass('dbt_deploy.named_relations') is not null then
          if has_table_privilege('dbt_deploy.named_relations', 'SELECT') then
            detail := detail || array(select format('%s of the project %s in %s', n.unique_id, n.project, n.environment) from dbt_deploy.named_relations n
              where n.schema::name = it.schema::name and n.identifier::name = it.identifier::name
                and (n.environment, n.project) <> (job ->> 'environment', job ->> 'project') order by 1);
          end if;
        end if;
        for part in
          with recursive family(oid) as (
            select it.oid
            union all
            select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
          )
          select c.oid, c.relkind, greatest((to_jsonb(s) ->> 'last_seq_scan')::timestamptz, (to_jsonb(s) ->> 'last_idx_scan')::timestamptz) as read_at
          from family f join pg_class c on c.oid = f.oid left join pg_stat_all_tables s on s.relid = f.oid
          where c.relkind in ('r', 'm') and detail = '{}'
        loop
          if part.read_at > greatest(it.removed_at, now() - make_interval(days => (job ->> 'grace_days')::int)) then
            detail := detail || format('it was last read at %s; PostgreSQL does not say by whom, and a dump counts', to_char(part.read_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'));
          end if;
          execute format('select count(*) from (select from %s l tablesample system (100) where age(l.xmin) < age($1) limit 1) w', part.oid::regclass)
            into counted using it.noted;
          if counted > 0 then
            detail := detail || 'rows were written to it since'::text;
          end if;
        end loop;
{% endmacro %}

{# A name as it may stand in SQL, quoted or not, as a regular expression. #}
{% macro postgres_as_spelled(name) %}
format('"?%s"?', regexp_replace({{ name }}, '([^\w])', '\\\1', 'g'))
{% endmacro %}


{# A dry run drops it too, and takes that back. #}
{% macro postgres_drop_removed() %}
        why := format('its node left the project on %s, kept for %s days', to_char(it.removed_at at time zone 'UTC', 'YYYY-MM-DD'), job ->> 'grace_days');
        begin
          execute format('drop %s %s', it.kind, it.name);
          outcome := 'dropped';
          if dry then
            raise exception using errcode = 'DD004';
          end if;
        exception
          when sqlstate 'DD004' then
            outcome := 'would drop';
          when dependent_objects_still_exist then
            get stacked diagnostics why = pg_exception_detail;
            detail := string_to_array(why, chr(10));
            outcome := 'stays';
            why := 'something hangs on it';
          when lock_not_available or deadlock_detected then
            outcome := 'busy';
            why := 'somebody reads it';
          when others then
            outcome := 'failed';
            why := sqlerrm;
        end;
{% endmacro %}
