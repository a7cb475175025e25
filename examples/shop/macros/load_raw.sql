{#
  Stands in for the tool that loads raw tables: `dbt run-operation load_raw`.
  The rows are the same each time; `raw.dice` is md5 read as a number from 0 to 1.
#}
{% macro load_raw() %}
{% set load %}
begin;
drop schema if exists raw cascade;
create schema raw;

create function raw.dice(seed text) returns double precision language sql immutable as
$$ select ('x' || substr(md5(seed), 1, 8))::bit(32)::bigint / 4294967296.0 $$;

create table raw.customers as
select
    i as id,
    (array['Anna', 'Ben', 'Clara', 'Dario', 'Elif', 'Fynn', 'Greta', 'Hugo', 'Ida', 'Jonas',
           'Karla', 'Luc', 'Mina', 'Noah', 'Olga', 'Piet'])[1 + floor(16 * raw.dice('first' || i))]
        as first_name,
    (array['Bauer', 'Claes', 'Dubois', 'Egger', 'Ferrari', 'Gruber', 'Holm', 'Jansen', 'Keller',
           'Lund', 'Moser', 'Peeters', 'Rossi', 'Schmid', 'Vogel', 'Wolf'])[
           1 + floor(16 * raw.dice('last' || i))] as last_name,
    'customer' || i || '@example.com' as email,
    (array['DE', 'DE', 'DE', 'FR', 'FR', 'AT', 'NL', 'BE', 'CH', 'DK', 'IT'])[
        1 + floor(11 * raw.dice('country' || i))] as country_code,
    date '2025-01-01' + floor(480 * raw.dice('joined' || i))::int as joined_on,
    now() as _loaded_at
from generate_series(1, 1000) as i;

create table raw.products as
select
    i as id,
    (array['Kenya AA', 'Sidamo', 'Huila', 'Antigua', 'Sencha', 'Darjeeling', 'Oolong', 'Rooibos'])[
        1 + i % 8] || ' ' || (array['100 g', '250 g', '500 g', '1 kg', 'gift box'])[1 + i % 5]
        as name,
    (array['coffee', 'coffee', 'coffee', 'coffee', 'tea', 'tea', 'tea', 'tea'])[1 + i % 8]
        as category,
    (490 + floor(40 * raw.dice('price' || i)) * 50 + 100 * (revision - 1))::int as price_cents,
    timestamp '2025-01-01 06:00' + (revision - 1) * interval '200 days' as updated_at,
    now() as _loaded_at
from generate_series(1, 84) as i
cross join generate_series(1, 2) as revision
-- Every seventh product was sent a second time, with a new price.
where revision = 1 or i % 7 = 0;

create table raw.orders as
select
    i as id,
    -- Squaring the dice gives the shop regulars: a tenth of its customers place a third of the orders.
    1 + floor(1000 * power(raw.dice('who' || i), 2))::int as customer_id,
    timestamp '2025-01-06 08:00'
        + interval '1 minute' * floor(i * 76.1 + 600 * raw.dice('when' || i)) as ordered_at,
    case
        when raw.dice('status' || i) < 0.03 then 'cancelled'
        when raw.dice('status' || i) < 0.07 then 'returned'
        when i > 10140 then 'open'
        else 'shipped'
    end as status,
    now() as _loaded_at
from generate_series(1, 10240) as i;

create table raw.order_items as
select
    row_number() over (order by o.id, line) as id,
    o.id as order_id,
    1 + floor(84 * power(raw.dice('what' || o.id || '/' || line), 1.5))::int as product_id,
    1 + floor(3 * power(raw.dice('many' || o.id || '/' || line), 2))::int as quantity,
    490 + floor(40 * raw.dice(
        'price' || (1 + floor(84 * power(raw.dice('what' || o.id || '/' || line), 1.5)))::int
    ))::int * 50 as unit_price_cents,
    now() as _loaded_at
from raw.orders as o
cross join lateral generate_series(1, 1 + floor(2.5 * raw.dice('lines' || o.id))::int) as line;

create table raw.payments as
select
    row_number() over (order by i.order_id) as id,
    i.order_id,
    (array['card', 'card', 'card', 'paypal', 'invoice'])[
        1 + floor(5 * raw.dice('how' || i.order_id))] as method,
    sum(i.quantity * i.unit_price_cents)::int as amount_cents,
    max(o.ordered_at) + interval '5 minutes' as paid_at,
    now() as _loaded_at
from raw.order_items as i
join raw.orders as o on o.id = i.order_id
where o.status not in ('cancelled', 'open')
group by i.order_id;
commit;
{% endset %}
{% do run_query(load) %}
{% do log("Loaded raw.customers, products, orders, order_items and payments.", info=true) %}
{% endmacro %}
