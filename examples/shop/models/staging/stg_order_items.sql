select
    id as order_item_id,
    order_id,
    product_id,
    quantity,
    {{ from_cents('unit_price_cents') }} as unit_price,
    {{ from_cents('quantity * unit_price_cents') }} as amount
from {{ source('raw', 'order_items') }}
