{#
  DuckDB has no comment on a schema (2.0: "Adding comments to schemas is not implemented"), so the mark
  is a table in it. Only one process writes to a database file, so nobody comes between looking and
  dropping; nothing hangs on what a view reads, so nothing goes along.
#}
{% macro duckdb__schema_comment(database, schema) %}
  {% set schemas = run_query('select 1 from information_schema.schemata where catalog_name = '
      ~ dbtdeploy.literal(database) ~ ' and schema_name = ' ~ dbtdeploy.literal(schema)) %}
  {% if not schemas.rows %}
    {{ return(none) }}
  {% endif %}
  {% set tables = run_query('select 1 from information_schema.tables where table_catalog = '
      ~ dbtdeploy.literal(database) ~ ' and table_schema = ' ~ dbtdeploy.literal(schema)
      ~ " and table_name = 'dbt_deploy_mark'") %}
  {% if not tables.rows %}
    {{ return('') }}
  {% endif %}
  {% set found = run_query("select coalesce(max(comment), '') from "
      ~ dbtdeploy.duckdb_schema(database, schema) ~ '.dbt_deploy_mark') %}
  {{ return(found.rows[0][0]) }}
{% endmacro %}

{% macro duckdb__create_marked_schema_sql(database, schema, mark) %}
  {% set name = dbtdeploy.duckdb_schema(database, schema) %}
  {{ return('create schema if not exists ' ~ name ~ '; create or replace table ' ~ name
      ~ '.dbt_deploy_mark as select ' ~ dbtdeploy.literal(mark) ~ ' as comment') }}
{% endmacro %}

{% macro duckdb__copy_rows(source, target, rows, order_by) %}
  {% do run_query('create or replace table ' ~ target ~ ' as select * from ' ~ source
      ~ dbtdeploy.newest(rows, order_by)) %}
  {% set counted = run_query('select count(*) from ' ~ target) %}
  {{ return({'how': 'latest' if rows is not none else 'all',
             'rows': counted.rows[0][0] | int, 'order_by': order_by}) }}
{% endmacro %}

{# A commit without a transaction is an error here, so there is always one: statement() begins it. #}
{% macro duckdb__end_transaction() %}
  {% call statement('begun', auto_begin=true) %}select 1{% endcall %}
  {% do adapter.commit() %}
{% endmacro %}

{% macro duckdb__marked_schemas(prefix) %}
  {% set marked = [] %}
  {% for found in dbtdeploy.duckdb_schemas() if found.comment.startswith(prefix) %}
    {% do marked.append(found) %}
  {% endfor %}
  {{ return(marked) }}
{% endmacro %}

{% macro duckdb__schemas_named(name) %}
  {% set named = [] %}
  {% for found in dbtdeploy.duckdb_schemas() if '_' ~ name ~ '_' in '_' ~ found.schema ~ '_' %}
    {% do named.append(found) %}
  {% endfor %}
  {{ return(named) }}
{% endmacro %}

{% macro duckdb__drop_marked_schemas(schemas, by_owner, dry_run) %}
  {% set told = [] %}
  {% for wanted in schemas %}
    {% set comment = dbtdeploy.schema_comment(wanted.database, wanted.schema) %}
    {% if comment is none %}
      {% do told.append({'schema': wanted.schema, 'outcome': 'gone'}) %}
    {% elif comment != wanted.comment
        and not (by_owner and comment.split('\n')[0] == wanted.comment.split('\n')[0]) %}
      {% do told.append({'schema': wanted.schema, 'outcome': 'changed', 'detail': [comment]}) %}
    {% else %}
      {% if not dry_run %}
        {% do run_query('drop schema ' ~ dbtdeploy.duckdb_schema(wanted.database, wanted.schema) ~ ' cascade') %}
      {% endif %}
      {% do told.append({'schema': wanted.schema, 'outcome': 'dropped'}) %}
    {% endif %}
  {% endfor %}
  {{ return(told) }}
{% endmacro %}

{# All schemas of the profile's database. #}
{% macro duckdb_schemas() %}
  {% set schemas = [] %}
  {% set found = run_query('select catalog_name, schema_name from information_schema.schemata'
      ~ ' where catalog_name = ' ~ dbtdeploy.literal(target.database) ~ ' order by schema_name') %}
  {% for row in found.rows %}
    {% do schemas.append({'database': row[0], 'schema': row[1],
                          'comment': dbtdeploy.schema_comment(row[0], row[1])}) %}
  {% endfor %}
  {{ return(schemas) }}
{% endmacro %}

{% macro duckdb_schema(database, schema) %}
  {{ return(adapter.quote(database) ~ '.' ~ adapter.quote(schema)) }}
{% endmacro %}
