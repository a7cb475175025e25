{#
  Finds and drops the schemas that bear our mark. Three macros differ between warehouses; another
  adapter needs them, prefixed with its name, and is refused until it has them.
#}

{# All schemas whose comment begins so, as [{database, schema, comment}]. #}
{% macro marked_schemas(prefix) %}
  {{ return(adapter.dispatch('marked_schemas', 'dbtdeploy')(prefix)) }}
{% endmacro %}

{% macro default__marked_schemas(prefix) %}
  {{ dbtdeploy.no_macro('marked_schemas') }}
{% endmacro %}


{# All schemas with this name among the parts of theirs, as [{database, schema, comment}]. #}
{% macro schemas_named(name) %}
  {{ return(adapter.dispatch('schemas_named', 'dbtdeploy')(name)) }}
{% endmacro %}

{% macro default__schemas_named(name) %}
  {{ dbtdeploy.no_macro('schemas_named') }}
{% endmacro %}


{#
  Drops schemas that belong together, each only if its comment is still what was found: the whole of
  it, or with by_owner its first line. Nothing outside of them may go along. With dry_run it says
  what it would do.

  Returns [{schema, outcome, detail}]; outcome is
    dropped
    gone        it is not there any more
    changed     its comment is another; detail is that
    foreign     another role owns it; detail is [owner, our role]
    depended    objects outside hang on it; detail lists them
    busy        somebody works in it; detail is the warehouse's word
    failed      detail is the warehouse's word
#}
{% macro drop_marked_schemas(schemas, by_owner, dry_run) %}
  {{ return(adapter.dispatch('drop_marked_schemas', 'dbtdeploy')(schemas, by_owner, dry_run)) }}
{% endmacro %}

{% macro default__drop_marked_schemas(schemas, by_owner, dry_run) %}
  {{ dbtdeploy.no_macro('drop_marked_schemas') }}
{% endmacro %}


{#
  job: {token, prefix}
  result (JSON): {schemas: [{database, schema, comment}]}
#}
{% macro find_schemas(job) %}
  {% do print(job.token ~ tojson({'schemas': dbtdeploy.marked_schemas(job.prefix)})) %}
{% endmacro %}


{#
  Drops what a sweep chose, group by group. One group failing does not keep the others.

  job: {token, groups: [[{database, schema, comment}]], dry_run}
  result (JSON): {outcomes: [{schema, outcome, detail}]}
#}
{% macro drop_schemas(job) %}
  {% set outcomes = [] %}
  {% for group in job.groups %}
    {% do outcomes.extend(dbtdeploy.drop_marked_schemas(group, false, job.dry_run)) %}
  {% endfor %}
  {% do print(job.token ~ tojson({'outcomes': outcomes})) %}
{% endmacro %}


{#
  Finds and drops all schemas of one owner, in one dbt process. Those that go by the owner's name and
  bear no mark are only told.

  job: {token, owner: the mark's first line, name: the schema that dbt gets, dry_run}
  result (JSON): {outcomes: [{schema, outcome, detail}], unmarked: [{schema, comment}]}
#}
{% macro drop_owned_schemas(job) %}
  {% set owned = [] %}
  {% for found in dbtdeploy.marked_schemas(job.owner) if found.comment.split('\n')[0] == job.owner %}
    {% do owned.append(found) %}
  {% endfor %}
  {% set unmarked = [] %}
  {% for found in dbtdeploy.schemas_named(job.name) if not found.comment.startswith('dbt-deploy ') %}
    {% do unmarked.append(found) %}
  {% endfor %}
  {% set outcomes = dbtdeploy.drop_marked_schemas(owned, true, job.dry_run) if owned else [] %}
  {% do print(job.token ~ tojson({'outcomes': outcomes, 'unmarked': unmarked})) %}
{% endmacro %}
