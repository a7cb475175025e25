{{ config(materialized='incremental', unique_key='order_date') }}

select
    order_date,
    count(*) as orders,
    count(distinct customer_id) as customers,
    sum(items) as items,
    sum(amount) as amount
from {{ ref('fct_orders') }}
where status <> 'cancelled'
{% if is_incremental() %}
    -- The last week again: returns and late payments still change it.
    and order_date > (select max(order_date) - 7 from {{ this }})
{% endif %}
group by order_date
