with orders as (
    select
        customer_id,
        count(*) as orders,
        min(order_date) as first_order_on,
        max(order_date) as last_order_on,
        sum(paid) as lifetime_value
    from {{ ref('fct_orders') }}
    where status <> 'cancelled'
    group by customer_id
)

select
    customers.customer_id,
    customers.customer_name,
    customers.country_code,
    countries.country_name,
    customers.joined_on,
    coalesce(orders.orders, 0) as orders,
    orders.first_order_on,
    orders.last_order_on,
    coalesce(orders.lifetime_value, 0)::numeric(12, 2) as lifetime_value
from {{ ref('stg_customers') }} as customers
left join {{ ref('countries') }} as countries on countries.country_code = customers.country_code
left join orders on orders.customer_id = customers.customer_id
