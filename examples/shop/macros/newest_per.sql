{# One row per key, the newest: the till sends a record again whenever it changes. #}
{% macro newest_per(relation, key, updated_at) -%}
    select distinct on ({{ key }}) *
    from {{ relation }}
    order by {{ key }}, {{ updated_at }} desc
{%- endmacro %}
