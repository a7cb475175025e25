{#
  Staging beside production, and queries that must return no rows. All in one transaction that cannot
  write: a query of the team's runs with the rights of the role that releases.

  job:
    token, quote
    pairs     [{unique_id, staging, production, unique_key, fresh_column, count}]
    checks    [{name, sql}]
  answer: see `Measured` in scripts/dbtdeploy/warehouse/release_macro_types.py
#}
{% macro release_measure(job) %}
  {{ return(adapter.dispatch('release_measure', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__release_measure(job) %}
  {{ dbtdeploy.no_macro('release_measure') }}
{% endmacro %}

{#
  The answer cannot be the block's last setting, as in postgres_do: a role that only reads may do
  this, and a query of the team's names things as its search_path has it.
#}
{% macro postgres__release_measure(job) %}
  {{ dbtdeploy.postgres_itself('release_measure') }}
  {% set sql %}
select set_config(name, '1s', false) from pg_catalog.pg_settings where name = 'client_connection_check_interval';
select set_config('transaction_read_only', 'on', true), set_config('dbt_deploy.told', '', false),
  set_config('dbt_deploy.job', {{ dbtdeploy.literal(tojson(job)) }}, true);
do ${{ job.quote }}$
{{ dbtdeploy.postgres_measure_block() }}
${{ job.quote }}$;
select {{ dbtdeploy.postgres_answer("current_setting('dbt_deploy.told')") }}
  {% endset %}
  {% do print(job.token ~ run_query(sql).rows[0][0][1:]) %}
  {% do dbtdeploy.end_transaction() %}
{% endmacro %}


{# What fails is told with its pair or its check, and stops no other. #}
{% macro postgres_measure_block() %}
#variable_conflict use_column
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  path constant text := current_setting('search_path');
  nodes jsonb := '[]'; checks jsonb := '[]';
  one jsonb; found_rows int;
  new_relation regclass; old_relation regclass; fresh record; keys text[]; counted bigint;
  it record; part record;
begin
  perform set_config('search_path', '', true);
  for it in select value from jsonb_array_elements(job -> 'pairs') loop
    one := jsonb_build_object('unique_id', it.value -> 'unique_id');
    begin
      new_relation := to_regclass(format('%I.%I', it.value #>> '{staging,schema}', (it.value #>> '{staging,identifier}')::name));
      old_relation := to_regclass(quote_ident(it.value #>> '{production,schema}') || '.' || quote_ident((it.value #>> '{production,identifier}')::name));
      if new_relation is null then
        raise exception 'there is no %.%', it.value #>> '{staging,schema}', it.value #>> '{staging,identifier}';
      end if;
      one := one || jsonb_build_object('columns_after', {{ dbtdeploy.postgres_columns('new_relation') }},
        'columns_before', {{ dbtdeploy.postgres_columns('old_relation') }});
      if (it.value ->> 'count')::bool then
        execute format('select count(*) from %s', new_relation) into counted;
        one := one || jsonb_build_object('rows_after', counted);
        if old_relation is not null then
          {# Of a table that is changed in place the rows that its copy began with: others may have written since. #}
          counted := null;
          if to_regclass('dbt_deploy.baselines') is not null then
            select b.rows into counted from dbt_deploy.baselines b where b.copy = new_relation::oid::bigint;
          end if;
          if counted is null then
            execute format('select count(*) from %s', old_relation) into counted;
          end if;
          one := one || jsonb_build_object('rows_before', counted);
        end if;
      end if;
      {{ dbtdeploy.postgres_measure_losses() }}
      {{ dbtdeploy.postgres_measure_keys() }}
      {{ dbtdeploy.postgres_measure_freshness() }}
    exception when others then
      one := one || jsonb_build_object('error', sqlerrm);
    end;
    nodes := nodes || one;
  end loop;
  perform set_config('search_path', path, true);
  {{ dbtdeploy.postgres_measure_checks() }}
  {{ dbtdeploy.postgres_tell("jsonb_build_object('nodes', nodes, 'checks', checks)") }}
end
{% endmacro %}


{# As dbt's own test `unique` counts: a key that is null is not looked at. #}
{% macro postgres_measure_keys() %}
      if jsonb_array_length(it.value -> 'unique_key') > 0 then
        keys := '{}';
        for part in select k.value as name, (
            select a.attname from pg_attribute a where a.attrelid = new_relation and a.attnum > 0 and not a.attisdropped
              and lower(a.attname) = lower(k.value) order by a.attname <> k.value limit 1) as found
            from jsonb_array_elements_text(it.value -> 'unique_key') k loop
          if part.found is null then
            raise exception 'it has no column %', part.name;
          end if;
          keys := keys || quote_ident(part.found);
        end loop;
        execute format('select count(*) from (select from %s where (%s) is not null group by %s having count(*) > 1) twice',
          new_relation, array_to_string(keys, ', '), array_to_string(keys, ', ')) into counted;
        one := one || jsonb_build_object('duplicate_keys', counted);
      end if;
{% endmacro %}


{# A time without a zone is taken for UTC. #}
{% macro postgres_measure_freshness() %}
      if it.value ->> 'fresh_column' is not null then
        select a.attname, t.typname into fresh from pg_attribute a join pg_type t on t.oid = a.atttypid
          where a.attrelid = new_relation and a.attnum > 0 and not a.attisdropped
            and lower(a.attname) = lower(it.value ->> 'fresh_column')
          order by a.attname <> it.value ->> 'fresh_column' limit 1;
        if not found then
          raise exception 'it has no column %', it.value ->> 'fresh_column';
        end if;
        execute format('select to_json(n.newest) as newest, extract(epoch from now() - %s) as age from (select max(%I) as newest from %s) n',
          case fresh.typname when 'timestamptz' then 'n.newest' else 'n.newest::timestamp at time zone ''UTC''' end,
          fresh.attname, new_relation) into part;
        one := one || jsonb_build_object('newest', part.newest, 'age_seconds', part.age);
      end if;
{% endmacro %}


{#
  A cursor takes one query and no more. At most 1,000 rows are counted.
#}
{% macro postgres_measure_checks() %}
  for it in select value ->> 'name' as name, value ->> 'sql' as query from jsonb_array_elements(job -> 'checks') loop
    begin
      found_rows := 0;
      for part in execute it.query loop
        found_rows := found_rows + 1;
        exit when found_rows >= 1000;
      end loop;
      checks := checks || jsonb_build_object('name', it.name, 'rows', found_rows);
    exception when others then
      checks := checks || jsonb_build_object('name', it.name, 'error', sqlerrm);
    end;
  end loop;
{% endmacro %}
