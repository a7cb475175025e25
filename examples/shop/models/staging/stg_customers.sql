select
    id as customer_id,
    first_name || ' ' || last_name as customer_name,
    lower(email) as email,
    country_code,
    joined_on
from {{ source('raw', 'customers') }}
