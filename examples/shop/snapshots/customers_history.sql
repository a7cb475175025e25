{% snapshot customers_history %}
{{
    config(
        unique_key='customer_id',
        strategy='check',
        check_cols=['email', 'country_code']
    )
}}

select customer_id, email, country_code from {{ ref('stg_customers') }}

{% endsnapshot %}
