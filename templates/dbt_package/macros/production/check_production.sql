{#
  Before a build: makes again what a killed run left missing, then looks at what is there.

  job:
    token      printed before each answer, so that nothing else can be taken for it
    quote      a word that stands in no statement
    earlier    [{there, statements}], kept by a run that was killed before it could make them again
    wanted, functions, schemas    see look_at_production
  answers: token ~ result of make_again, then token ~ result of look_at_production
#}
{% macro check_production(job) %}
  {% set made = dbtdeploy.make_again(job.earlier, job.quote) if job.earlier else [] %}
  {% do print(job.token ~ tojson(made)) %}
  {% set found = dbtdeploy.look_at_production(job) %}
  {% do print(job.token ~ (found if found is string else tojson(found))) %}
{% endmacro %}


{# After a build: makes again what is no longer there. job: token, quote, dependents [{there, statements}]. #}
{% macro restore_dependents(job) %}
  {% do print(job.token ~ tojson(dbtdeploy.make_again(job.dependents, job.quote))) %}
{% endmacro %}


{#
  Makes each dependent that is not there, in its order, whole or not at all; what fails stops no other.
  Returns for each an empty string (it was there), `made`, `missing` (it has no statements) or the
  warehouse's words.
#}
{% macro make_again(dependents, quote) %}
  {{ return(adapter.dispatch('make_again', 'dbtdeploy')(dependents, quote)) }}
{% endmacro %}

{% macro default__make_again(dependents, quote) %}
  {{ dbtdeploy.no_macro('make_again') }}
{% endmacro %}

{# run-operation hears no interrupt while it waits, see postgres__copy_rows. #}
{% macro postgres__make_again(dependents, quote) %}
  {% do run_query("select set_config(name, '1s', false) from pg_settings where name = 'client_connection_check_interval'") %}
  {% set found = run_query(dbtdeploy.postgres_which_are_there(dependents)).rows[0][0] if dependents else '' %}
  {% set ends = [] %}
  {% for dependent in dependents %}
    {% set end = '' if found[loop.index] == '1' else dbtdeploy.postgres_make_one(dependent, quote) %}
    {% do ends.append(end) %}
  {% endfor %}
  {% do run_query('commit') %}
  {{ return(ends) }}
{% endmacro %}


{# An x, and for each dependent 1 or 0. #}
{% macro postgres_which_are_there(dependents) %}
select set_config('search_path', '', true);
select 'x' || array_to_string(array[
  {%- for dependent in dependents %}({{ dependent.there }})::int{{ ', ' if not loop.last }}
  {% endfor -%}
], '')
{% endmacro %}


{#
  One statement string, so one transaction. Names are written in full, so the search_path is empty as it
  was when they were read, and the bodies of functions, which may not be, are not checked. A failure
  inside DO takes back all that was done in it.
#}
{% macro postgres_make_one(dependent, quote) %}
  {% set sql %}
select set_config('search_path', '', true), set_config('check_function_bodies', 'off', true),
  set_config('dbtdeploy.end', '', true);
do ${{ quote }}$
begin
  if {{ dependent.there }} then
    return;
  end if;
  {%- for statement in dependent.statements %}
  execute ${{ quote }}_${{ statement }}${{ quote }}_$;
  {%- endfor %}
  perform set_config('dbtdeploy.end', '{{ 'made' if dependent.statements else 'missing' }}', true);
exception when others then
  perform set_config('dbtdeploy.end', sqlerrm, true);
end
${{ quote }}$;
select 'x' || coalesce(current_setting('dbtdeploy.end', true), '')
  {% endset %}
  {{ return(run_query(sql).rows[0][0][1:]) }}
{% endmacro %}
