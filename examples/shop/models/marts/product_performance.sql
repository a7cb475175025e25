select
    products.product_id,
    products.product_name,
    products.category,
    products.list_price,
    count(distinct items.order_id) as orders,
    coalesce(sum(items.quantity), 0) as units,
    coalesce(sum(items.amount), 0) as revenue
from {{ ref('stg_products') }} as products
left join {{ ref('stg_order_items') }} as items on items.product_id = products.product_id
group by products.product_id, products.product_name, products.category, products.list_price
