{#
  Before staging is built: the fence, our tables, and staging schemas that are marked, with
  production's rows under each incremental model and snapshot (release_baselines.sql). Refuses, before
  anything is made, when a schema is there that is not this release's.

  job:
    token, quote
    environment, project, nonce, taken_at, release_id, tag
    prefix       what the marks of this environment and project begin with
    mark         comment of the staging schemas
    schemas      [name]
    log_schema   one of them: what is written into the copies is logged there
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
  {% for found in fromjson(run_query(dbtdeploy.postgres_own_names_only() ~ dbtdeploy.postgres_staging_there(job)).rows[0][0][1:]) %}
    {% if not found.ours or found.line != line %}
      {% do foreign.append(found.name ~ (' belongs to ' ~ found.owner if not found.ours
          else ': ' ~ found.line if found.line else ' bears no mark')) %}
      {% do foreign_names.append(adapter.quote(found.name)) %}
    {% endif %}
  {% endfor %}
  {% set answer = {'foreign': foreign, 'foreign_names': foreign_names, 'dropped': dropped, 'rows': none, 'fenced': false} %}
  {% if not foreign %}
    {% do answer.update(fromjson(dbtdeploy.postgres_begin_release(job))) %}
  {% endif %}
  {% if not foreign and not answer.fenced and not answer.untrusted %}
    {% do dropped.extend(dbtdeploy.drop_dead_staging(job, line)) %}
    {% for name in job.schemas %}
      {% do run_query("select set_config('lock_timeout', '5s', true); create schema if not exists " ~ adapter.quote(name)
          ~ '; comment on schema ' ~ adapter.quote(name) ~ ' is ' ~ dbtdeploy.literal(job.mark)
          ~ '; do $dbt_deploy$ begin ' ~ dbtdeploy.postgres_close_schema(dbtdeploy.literal(name)) ~ ' end $dbt_deploy$') %}
    {% endfor %}
    {% set laid = fromjson(dbtdeploy.postgres_lay_baselines(job)) %}
    {% do answer.update(laid if laid.untrusted else {'rows': laid}) %}
  {% endif %}
  {% do dbtdeploy.end_transaction() %}
  {% do print(job.token ~ tojson({'untrusted': answer.untrusted} if answer.untrusted else answer)) %}
{% endmacro %}


{# Those of the staging schemas that are there. A comment says nothing of a schema that another role owns. #}
{% macro postgres_staging_there(job) %}
select 'x' || coalesce(json_agg(json_build_object('name', n.nspname, 'owner', pg_get_userbyid(n.nspowner),
    'ours', pg_has_role(n.nspowner, 'usage'),
    'line', split_part(coalesce(obj_description(n.oid, 'pg_namespace'), ''), chr(10), 1)) order by n.nspname), '[]')
  from pg_namespace n
  where n.nspname in (select w.name::name from jsonb_array_elements_text({{ dbtdeploy.literal(tojson(job.schemas)) }}) w(name))
{% endmacro %}


{# Our tables and the fence. #}
{% macro postgres_begin_release(job) %}
  {% set block %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  patience constant text := current_setting('lock_timeout');
begin
  {{ dbtdeploy.postgres_make_tables() }}
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
