with newest as (

    {{ newest_per(source('raw', 'products'), key='id', updated_at='updated_at') }}

)

select
    id as product_id,
    name as product_name,
    category,
    {{ from_cents('price_cents') }} as list_price,
    updated_at
from newest
