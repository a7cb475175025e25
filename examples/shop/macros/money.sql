{# Cents, as the shop's till stores them, to an amount. #}
{% macro from_cents(column) -%}
    round({{ column }} / 100.0, 2)
{%- endmacro %}
