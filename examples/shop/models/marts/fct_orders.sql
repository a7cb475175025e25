with orders as (
    select * from {{ ref('stg_orders') }}
),

totals as (
    select * from {{ ref('int_order_totals') }}
),

payments as (
    select * from {{ ref('int_order_payments') }}
)

select
    orders.order_id,
    orders.customer_id,
    orders.order_date,
    orders.ordered_at,
    orders.status,
    totals.lines,
    totals.items,
    totals.amount,
    coalesce(payments.paid, 0) as paid,
    payments.payment_method
from orders
inner join totals on totals.order_id = orders.order_id
left join payments on payments.order_id = orders.order_id
