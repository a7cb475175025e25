select orders.order_id, orders.customer_id
from {{ ref('fct_orders') }} as orders
left join {{ ref('dim_customers') }} as customers on customers.customer_id = orders.customer_id
where customers.customer_id is null
