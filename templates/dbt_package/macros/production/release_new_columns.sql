{#
  New columns of tables that are changed in place, each table's in a short transaction just before the swap:
  an ALTER TABLE keeps readers waiting until its transaction ends, and the swap's writes rows. What was added is
  noted in dbt_deploy.baselines, with its number, and dropped again where the release did not go live: at once,
  or by the next run of the place.
#}

{% macro postgres_add_new_columns(job, tables) %}
  {% for table in tables or [] %}
    {% do dbtdeploy.postgres_do(dict(job, only=table), dbtdeploy.postgres_add_columns_block(), plain=true) %}
  {% endfor %}
{% endmacro %}

{# One table at a time: the lock of one shall not be held while another is waited for. #}
{% macro postgres_drop_new_columns(job, tables) %}
  {% for table in tables or [] %}
    {% do dbtdeploy.postgres_do(dict(job, only=table), dbtdeploy.postgres_drop_columns_block(), plain=true) %}
  {% endfor %}
{% endmacro %}


{#
  Before anybody waits for anything: whether the logs are whole, as proofs that the swap compares, and which
  tables get new columns. Where a log is not whole, neither: the swap says why.
#}
{% macro postgres_proofs_block() %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  changes jsonb; said text[]; proofs jsonb := '{}'; wider jsonb := '[]';
  it record; part record;
begin
  {{ dbtdeploy.postgres_refuse_untrusted_roles() }}
  {{ dbtdeploy.postgres_find_changes() }}
  {# Taken first: what is written while they are checked makes another one. #}
  for it in select value from jsonb_array_elements(changes) loop
    {{ dbtdeploy.postgres_proof('it.value') }}
    proofs := proofs || jsonb_build_object(it.value ->> 'unique_id', part.proof);
    if {{ dbtdeploy.postgres_new_columns('it.value') }} <> '[]' then
      wider := wider || (it.value -> 'unique_id');
    end if;
  end loop;
  begin
    {{ dbtdeploy.postgres_refuse_what_no_log_shows() }}
  exception when sqlstate 'DD002' then
    proofs := '{}';
    wider := '[]';
  end;
  {{ dbtdeploy.postgres_tell("jsonb_build_object('proofs', proofs, 'wider', wider)") }}
end
{% endmacro %}

{# Of a change: those that the build added to the copy, as [{name, type}]. #}
{% macro postgres_new_columns(change) %}
(select coalesce(jsonb_agg(jsonb_build_object('name', n.name, 'type', n.type) order by n.name), '[]')
  from jsonb_to_recordset({{ dbtdeploy.postgres_columns("(" ~ change ~ " ->> 'copy')::oid") }}) as n(name text, type text)
  where n.name not in (select o.name from jsonb_to_recordset({{ change }} -> 'columns') as o(name text)))
{% endmacro %}


{#
  Only to the table that was copied, as it was then; what else is there, the swap refuses by name. A reader that
  stays leaves the columns to the swap, which tries for longer.
#}
{% macro postgres_add_columns_block() %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  changes jsonb; waits_for oid; tries int := 0;
  it record; part record;
begin
  {{ dbtdeploy.postgres_refuse_untrusted_roles() }}
  {{ dbtdeploy.postgres_find_changes() }}
  select value, value ->> 'full_name' as full_name, (value ->> 'live')::oid as live into it
    from jsonb_array_elements(changes) where value ->> 'unique_id' = job ->> 'only';
  while tries < least((job ->> 'tries')::int, 10) loop
    tries := tries + 1;
    begin
      perform set_config('lock_timeout', '250ms', true);
      {{ dbtdeploy.postgres_lock_place() }}
      exit when not exists (select from dbt_deploy.fence f where f.environment = job ->> 'environment' and f.project = job ->> 'project'
        and f.nonce = job ->> 'nonce');
      exit when to_regclass(it.full_name) is distinct from it.live or it.value -> 'columns' <> {{ dbtdeploy.postgres_columns('it.live') }};
      for part in select format('add column %I %s', c.name, c.type) as action
          from jsonb_to_recordset({{ dbtdeploy.postgres_new_columns('it.value') }}) as c(name text, type text) loop
        execute format('alter table %s %s', it.full_name, part.action);
      end loop;
      update dbt_deploy.baselines b set added = (
          select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'number', a.attnum))
          from jsonb_to_recordset({{ dbtdeploy.postgres_new_columns('it.value') }}) as c(name text)
          join pg_attribute a on a.attrelid = it.live and a.attname = c.name)
        where b.environment = job ->> 'environment' and b.project = job ->> 'project' and b.release_id = job ->> 'release_id'
          and b.unique_id = job ->> 'only';
      exit;
    exception
      when lock_not_available or deadlock_detected then
        perform pg_sleep(0.3 + 0.9 * random());
      when others then
        {# The swap meets it again, and names it. #}
        exit;
    end;
  end loop;
end
{% endmacro %}


{% macro postgres_drop_columns_block() %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
begin
  {{ dbtdeploy.postgres_drop_left_columns() }}
end
{% endmacro %}

{#
  Of releases of the place that are not live. One that something uses by now, or that a reader holds, stays
  noted, for the next run.
#}
{% macro postgres_drop_left_columns() %}
  declare
    left_over record; tried int;
  begin
    for left_over in select b.release_id, b.unique_id, b.oid::oid as live, b.added from dbt_deploy.baselines b
        where b.environment = job ->> 'environment' and b.project = job ->> 'project' and b.added <> '[]'
          and b.unique_id = coalesce(job ->> 'only', b.unique_id)
          and not exists (select from dbt_deploy.releases r where r.environment = b.environment and r.project = b.project
            and r.release_id = b.release_id) loop
      for tried in 1 .. 10 loop
        begin
          perform set_config('lock_timeout', '250ms', true);
          execute coalesce((select format('alter table %s %s', left_over.live::regclass, string_agg(format('drop column %I', a.attname), ', '))
            from jsonb_to_recordset(left_over.added) as c(name text, number int)
            join pg_attribute a on a.attrelid = left_over.live and a.attnum = c.number and a.attname = c.name having count(*) > 0), 'select');
          update dbt_deploy.baselines b set added = '[]' where b.environment = job ->> 'environment' and b.project = job ->> 'project'
            and b.release_id = left_over.release_id and b.unique_id = left_over.unique_id;
          exit;
        exception
          when lock_not_available or deadlock_detected then
            perform pg_sleep(0.3 + 0.9 * random());
          when others then
            exit;
        end;
      end loop;
    end loop;
  end;
{% endmacro %}
