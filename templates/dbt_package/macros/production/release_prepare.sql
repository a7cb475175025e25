{#
  Before staging is built: the fence, our tables, and staging schemas that are marked and hold
  production's rows where an incremental model or a snapshot will go on from them. Refuses, before
  anything is made, when a schema is there that is not this release's.

  job:
    token, quote
    environment, project, nonce, taken_at, release_id, tag
    prefix       what the marks of this environment and project begin with
    mark         comment of the staging schemas
    schemas      [name]
    baselines    [{unique_id, staging: {database, schema, identifier}, production: the same}]
  answer: see `Prepared` in scripts/dbtdeploy/warehouse/release_macro_types.py
#}
{% macro release_prepare(job) %}
  {{ return(adapter.dispatch('release_prepare', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__release_prepare(job) %}
  {{ dbtdeploy.no_macro('release_prepare') }}
{% endmacro %}

{% macro postgres__release_prepare(job) %}
  {{ dbtdeploy.postgres_itself('release_prepare') }}
  {% if dbtdeploy.postgres_own_schema_refused(job) %}
    {{ return('') }}
  {% endif %}
  {% set line = job.mark.split('\n')[0] %}
  {% set foreign, foreign_names, dropped = [], [], [] %}
  {% for name in job.schemas %}
    {% set comment = dbtdeploy.schema_comment(none, name) %}
    {% if comment is not none and comment.split('\n')[0] != line %}
      {% do foreign.append(name ~ (': ' ~ comment.split('\n')[0] if comment else ' bears no mark')) %}
      {% do foreign_names.append(adapter.quote(name)) %}
    {% endif %}
  {% endfor %}
  {% set answer = {'foreign': foreign, 'foreign_names': foreign_names, 'dropped': dropped, 'rows': none, 'fenced': false} %}
  {% if not foreign %}
    {% do answer.update(fromjson(dbtdeploy.postgres_begin_release(job))) %}
  {% endif %}
  {% if not foreign and not answer.fenced and not answer.exposed %}
    {% do dropped.extend(dbtdeploy.drop_dead_staging(job, line)) %}
    {% for name in job.schemas %}
      {% do run_query(dbtdeploy.create_marked_schema_sql(none, name, job.mark)) %}
    {% endfor %}
    {% set laid = fromjson(dbtdeploy.postgres_lay_baselines(job)) %}
    {% do answer.update(laid if laid.exposed else {'rows': laid}) %}
  {% endif %}
  {% do dbtdeploy.end_transaction() %}
  {% do print(job.token ~ tojson({'exposed': answer.exposed} if answer.exposed else answer)) %}
{% endmacro %}


{# Our tables and the fence. #}
{% macro postgres_begin_release(job) %}
  {% set block %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
begin
  {{ dbtdeploy.postgres_make_tables() }}
  perform {{ dbtdeploy.postgres_place_lock() }};
  {{ dbtdeploy.postgres_set_fence() }}
  {{ dbtdeploy.postgres_tell("jsonb_build_object('fenced', not found)") }}
end
  {% endset %}
  {{ return(dbtdeploy.postgres_do(job, block, plain=true)) }}
{% endmacro %}


{# What an earlier run of this environment and project left, which died before it went live. #}
{% macro drop_dead_staging(job, line) %}
  {% set dead, dropped = [], [] %}
  {% for found in dbtdeploy.marked_schemas(job.prefix) %}
    {% set first = found.comment.split('\n')[0] %}
    {% if first.endswith(' role=staging') and first != line %}
      {% do dead.append(found) %}
    {% endif %}
  {% endfor %}
  {% for told in (dbtdeploy.drop_marked_schemas(dead, false, false) if dead else []) if told.outcome == 'dropped' %}
    {% do dropped.append(told.schema) %}
  {% endfor %}
  {{ return(dropped) }}
{% endmacro %}


{#
  A copy that can take the table's place: with its identity and generated columns, which go on counting
  where the old one stopped. A partitioned table is partitioned again, at its first level. What was
  copied is noted: the swap refuses where rows were written to production since. A run that was taken
  over from meanwhile must not forget what the next one has noted. It holds no lock on the fence, which
  would keep the next run waiting until all is copied.
#}
{% macro postgres_lay_baselines(job) %}
  {% set block %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  rows jsonb := '{}';
  source oid; counted bigint; writes bigint;
  it record; part record;
begin
  {{ dbtdeploy.postgres_refuse_strangers() }}
  perform from dbt_deploy.fence f where f.environment = job ->> 'environment' and f.project = job ->> 'project'
    and f.nonce = job ->> 'nonce';
  if not found then
    raise exception 'another run of this environment and project took over';
  end if;
  delete from dbt_deploy.baselines b where b.environment = job ->> 'environment' and b.project = job ->> 'project';
  for it in select value, value ->> 'unique_id' as unique_id, format('%I.%I', value #>> '{staging,schema}', (value #>> '{staging,identifier}')::name) as target
      from jsonb_array_elements(job -> 'baselines') loop
    select c.oid into source from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = (it.value #>> '{production,schema}')::name and c.relname = (it.value #>> '{production,identifier}')::name
        and c.relkind in ('r', 'p');
    counted := null;
    for part in select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind
        from pg_class c where c.oid = to_regclass(it.target) loop
      execute format('drop %s %s', part.kind, it.target);
    end loop;
    if source is not null then
      writes := {{ dbtdeploy.postgres_writes('source') }};
      execute format('create table %s (like %s including all)%s', it.target, source::regclass,
        (select ' partition by ' || pg_get_partkeydef(source) from pg_class c where c.oid = source and c.relkind = 'p'));
      for part in select format('create table %I.%I partition of %s %s', it.value #>> '{staging,schema}', c.relname, it.target,
          pg_get_expr(c.relpartbound, c.oid)) as statement
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = source and c.relispartition loop
        execute part.statement;
      end loop;
      execute format('insert into %s (%s) overriding system value select %s from %s', it.target, c.names, c.names, source::regclass)
        from (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) as names from pg_attribute a
          where a.attrelid = source and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') c
        where c.names is not null;
      get diagnostics counted = row_count;
      insert into dbt_deploy.baselines values (job ->> 'environment', job ->> 'project', job ->> 'release_id', it.unique_id,
        source::bigint, counted, writes);
      for part in select a.attname, s.oid::regclass as sequence from pg_attribute a
          join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = source and d.refobjsubid = a.attnum and d.deptype = 'i'
          join pg_class s on d.classid = 'pg_class'::regclass and s.oid = d.objid and s.relkind = 'S'
          where a.attrelid = source and a.attidentity <> '' loop
        execute format('select setval(pg_get_serial_sequence(%L, %L), last_value, is_called) from %s', it.target, part.attname, part.sequence);
      end loop;
    end if;
    rows := rows || jsonb_build_object(it.unique_id, counted);
  end loop;
  {{ dbtdeploy.postgres_tell('rows') }}
end
  {% endset %}
  {{ return(dbtdeploy.postgres_do(job, block, plain=true)) }}
{% endmacro %}


{# job: token, line: the first line of the mark. Gives the names of what was dropped. #}
{% macro release_drop_staging(job) %}
  {{ return(adapter.dispatch('release_drop_staging', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__release_drop_staging(job) %}
  {{ dbtdeploy.no_macro('release_drop_staging') }}
{% endmacro %}

{% macro postgres__release_drop_staging(job) %}
  {{ dbtdeploy.postgres_itself('release_drop_staging') }}
  {% set ours, dropped = [], [] %}
  {% for found in dbtdeploy.marked_schemas(job.line) if found.comment.split('\n')[0] == job.line %}
    {% do ours.append(found) %}
  {% endfor %}
  {% for told in (dbtdeploy.drop_marked_schemas(ours, true, false) if ours else []) if told.outcome == 'dropped' %}
    {% do dropped.append(told.schema) %}
  {% endfor %}
  {% do dbtdeploy.end_transaction() %}
  {% do print(job.token ~ tojson(dropped)) %}
{% endmacro %}
