{% snapshot customers_history %}
{{
    config(
        target_schema=target.schema ~ '_snapshots',
        unique_key='customer_id',
        strategy='check',
        check_cols=['email', 'country_code']
    )
}}

select customer_id, email, country_code from {{ ref('stg_customers') }}

{% endsnapshot %}
