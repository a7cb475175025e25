{#
  Creates and marks the schemas of a pull request, and puts production's rows under the incremental
  models and snapshots that will be built. Refuses, before anything is created, when a schema exists
  that does not bear the mark.

  job:
    token       printed before the result, so that nothing else can be taken for it
    mark        first line: whose schemas these are; second line: when they were last used
    schemas     [{database, schema}]
    baselines   [{unique_id, database, schema, identifier, with_rows,
                  source: {database, schema, identifier} or null, rows, order_by}]
  result (JSON): {foreign: [{schema, comment}], baselines: [{unique_id, how, rows, order_by, reason}]}
#}
{% macro prepare_schemas(job) %}
  {% set foreign = [] %}
  {% for wanted in job.schemas %}
    {% set comment = dbtdeploy.schema_comment(wanted.database, wanted.schema) %}
    {% if comment is not none and comment.split('\n')[0] != job.mark.split('\n')[0] %}
      {% do foreign.append({'schema': wanted.schema, 'comment': comment}) %}
    {% endif %}
  {% endfor %}
  {% set results = [] %}
  {% if not foreign %}
    {% for wanted in job.schemas %}
      {% do run_query(dbtdeploy.create_marked_schema_sql(wanted.database, wanted.schema, job.mark)) %}
    {% endfor %}
    {% for baseline in job.baselines %}
      {% do results.append(dbtdeploy.lay_baseline(baseline)) %}
    {% endfor %}
    {% do dbtdeploy.end_transaction() %}
  {% endif %}
  {% do print(job.token ~ tojson({'foreign': foreign, 'baselines': results})) %}
{% endmacro %}


{#
  One baseline. What an earlier push left is dropped first: the model is to meet production's rows,
  or none, as it will when it is released. A snapshot or incremental model whose production relation
  is a view meets no table there either, so nothing is copied.
#}
{% macro lay_baseline(baseline) %}
  {% set old = adapter.get_relation(baseline.database, baseline.schema, baseline.identifier) %}
  {% set source = none %}
  {% if baseline.with_rows and baseline.source %}
    {% set source = adapter.get_relation(
        baseline.source.database, baseline.source.schema, baseline.source.identifier) %}
  {% endif %}
  {% set result = {'unique_id': baseline.unique_id, 'how': 'none', 'rows': none,
                   'order_by': none, 'reason': none} %}
  {% if old is not none %}
    {% do adapter.drop_relation(old) %}
  {% endif %}
  {% if not baseline.with_rows %}
    {% do result.update({'reason': 'baseline-rows is none'}) %}
  {% elif source is none %}
    {% do result.update({'reason': 'production has no such table yet'}) %}
  {% elif not source.is_table %}
    {% do result.update({'reason': 'production has a ' ~ source.type ~ ' there'}) %}
  {% else %}
    {% set rows, order_by = baseline.rows, baseline.order_by %}
    {% set column = dbtdeploy.column_like(source, order_by) if rows is not none %}
    {% if rows is not none and not column %}
      {% do result.update({'reason': 'it has no column ' ~ order_by}) %}
      {% set rows = none %}
    {% endif %}
    {% set order_by = column if rows is not none else none %}
    {% set target = api.Relation.create(database=baseline.database, schema=baseline.schema,
        identifier=baseline.identifier, type='table') %}
    {% do result.update(dbtdeploy.copy_rows(source, target, rows, order_by)) %}
  {% endif %}
  {{ return(result) }}
{% endmacro %}


{# The column as the warehouse spells it, for it will be quoted: UPDATED_AT on Snowflake. #}
{% macro column_like(relation, name) %}
  {% set alike = [] %}
  {% for column in adapter.get_columns_in_relation(relation) if column.name | lower == name | lower %}
    {% do alike.append(column.name) %}
  {% endfor %}
  {{ return(name if name in alike else alike | first | default(none)) }}
{% endmacro %}
