{% test is_order_status(model, column_name) %}
    select {{ column_name }} as status, count(*) as orders
    from {{ model }}
    where {{ column_name }} not in ('open', 'shipped', 'returned', 'cancelled')
    group by 1
{% endtest %}
