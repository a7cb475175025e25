{{ config(materialized='ephemeral') }}

select
    order_id,
    min(method) as payment_method,
    min(paid_at) as paid_at,
    sum(amount) as paid
from {{ ref('stg_payments') }}
group by order_id
