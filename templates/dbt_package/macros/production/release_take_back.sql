{#
  Undoes releases, newest first, in one transaction, or changes nothing. What is live moves into schemas
  of its own, and what was kept moves back. Views are made again from their kept definitions: what reads
  by name reads what is live, and a dbt build in between may have dropped the kept ones, cascading.

  job:
    token, quote
    environment, project, nonce, taken_at
    tries, reader_wait_ms, dry_run, restore_incremental
    records    [{release_id, tag, mark, kept_line, nodes: [{unique_id, schema, identifier, kind, kept_in, undone, back_by,
                 columns, statements}]}], newest first
  answer: see `TookBack` in scripts/dbtdeploy/warehouse/release_macro_types.py
#}
{% macro release_take_back(job) %}
  {{ return(adapter.dispatch('release_take_back', 'dbtdeploy')(job)) }}
{% endmacro %}

{% macro default__release_take_back(job) %}
  {{ dbtdeploy.no_macro('release_take_back') }}
{% endmacro %}

{% macro postgres__release_take_back(job) %}
  {{ dbtdeploy.postgres_itself('release_take_back') }}
  {% if not dbtdeploy.postgres_own_schema_refused(job) %}
    {% set answer = dbtdeploy.postgres_do(job, dbtdeploy.postgres_take_back_block()) %}
    {% if not job.dry_run %}
      {% do dbtdeploy.postgres_do(job, dbtdeploy.postgres_validate_block()) %}
    {% endif %}
    {% do print(job.token ~ answer) %}
  {% endif %}
{% endmacro %}


{#
  `spots` says what is at each name as the undoing goes on, from record to record: {name: oid or null}.
  Relation `moved[i]` goes to schema `moved_to[i]`, in that order; where it is a new one, `marks` bears its
  comment. `remakes`: [{name, statements}]. `undo`: see release_undo_in_place.sql; `was_changes` are the
  kept relations that it has done with. `narrow`: see release_drop_added.sql.
#}
{% macro postgres_take_back_block() %}
declare
  job constant jsonb := current_setting('dbt_deploy.job')::jsonb;
  dry constant bool := (job ->> 'dry_run')::bool;
  spots jsonb; moved oid[]; moved_to text[]; marks jsonb; remakes jsonb; drops oid[];
  restored text[] := '{}'; recreated text[] := '{}'; left_alone text[] := '{}'; removed text[] := '{}'; missing text[] := '{}';
  leaving oid[]; entering oid[]; reshaping oid[] := '{}';
  things jsonb; undo jsonb; undo_done jsonb; narrow jsonb; added jsonb; replaced jsonb; reattach jsonb; was_changes text[]; columns_dropped text[]; columns_stay text[];
  said text[] := '{}'; repointed text[]; at_work_on text;
  it record; part record; undone record; layout record; step record; differs text; counted bigint; taken bigint; expected bigint; rewritten bigint; ours xid; here oid; kept oid; how jsonb;
  outcome text; began timestamptz; swapped_at timestamptz;
  patience timestamptz; waits_for oid; tries int := 0;
begin
  while tries < (job ->> 'tries')::int loop
    tries := tries + 1;
    began := clock_timestamp();
    repointed := '{}';
    said := '{}';
    was_changes := '{}';
    columns_dropped := '{}';
    columns_stay := '{}';
    begin
      {{ dbtdeploy.postgres_take_back_may() }}
      {{ dbtdeploy.postgres_take_back_plan() }}
      if not dry then
        {{ dbtdeploy.postgres_lock_undone() }}
      end if;
      {{ dbtdeploy.postgres_refuse_undo() }}
      if said <> '{}' then
        raise exception using errcode = 'DD001', message = said[1];
      end if;
      if not dry then
        {{ dbtdeploy.postgres_undo_in_place() }}
        was_changes := array(select value ->> 'kept_name' from jsonb_array_elements(undo));
        added := narrow;
        undo_done := undo;
        reshaping := array(select (value ->> 'live')::oid from jsonb_array_elements(undo_done) where (value #>> '{how,whole}')::bool);
        {{ dbtdeploy.postgres_lock_what_moves() }}
        {{ dbtdeploy.postgres_take_back_plan() }}
        narrow := added;
        marks := marks || (select coalesce(jsonb_object_agg(value ->> 'undone', value -> 'mark'), '{}') from jsonb_array_elements(narrow));
        if said <> '{}' then
          raise exception using errcode = 'DD001', message = said[1];
        end if;
        {{ dbtdeploy.postgres_undo_seeds() }}
      end if;
      {{ dbtdeploy.postgres_release_things() }}
      if dry then
        repointed := array(select value ->> 'name' from jsonb_array_elements(things));
        columns_dropped := array(select format('%s.%I', t.value ->> 'name', a.name) from jsonb_array_elements(narrow) t, jsonb_array_elements_text(t.value -> 'added') a(name) order by 1);
        outcome := 'done';
        exit;
      end if;
      {{ dbtdeploy.postgres_find_reattached() }}
      {{ dbtdeploy.postgres_take_back_move() }}
      {{ dbtdeploy.postgres_hand_over_sequences() }}
      {{ dbtdeploy.postgres_drop_things() }}
      for it in select value -> 'statements' as statements, value ->> 'name' as name from jsonb_array_elements(remakes) loop
        {{ dbtdeploy.postgres_make_or_say('it.statements', 'it.name') }}
      end loop;
      {{ dbtdeploy.postgres_make_things() }}
      {{ dbtdeploy.postgres_reattach() }}
      {{ dbtdeploy.postgres_drop_added_columns() }}
      {{ dbtdeploy.postgres_foreign_keys_back() }}
      {{ dbtdeploy.postgres_take_back_rows() }}
      {{ dbtdeploy.postgres_settle_constraints() }}
      outcome := 'done';
      exit;
    {{ dbtdeploy.postgres_release_endings() }}
  end loop;
  {{ dbtdeploy.postgres_tell("jsonb_build_object('swapped', jsonb_build_object('outcome', outcome, 'detail', said,"
    ~ " 'attempts', tries, 'seconds', extract(epoch from clock_timestamp() - began),"
    ~ " 'at', case when outcome = 'done' then swapped_at end, 'repointed', case when outcome = 'done' then repointed else '{}' end),"
    ~ " 'restored', restored, 'recreated', recreated, 'left', left_alone, 'removed', removed, 'missing', missing,"
    ~ " 'columns_dropped', columns_dropped, 'columns_stay', columns_stay)") }}
end
{% endmacro %}


{# Whether these are live, and the newest of all that are. #}
{% macro postgres_take_back_may() %}
      if dry then
        perform set_config('transaction_read_only', 'on', true);
      else
        perform set_config('lock_timeout', '5s', true);
      end if;
      if not exists (select from pg_class c where c.relname = 'releases' and c.relnamespace = to_regnamespace('dbt_deploy')) then
        said := array['there is no table dbt_deploy.releases: the warehouse knows no release'];
        raise exception using errcode = 'DD001', message = said[1];
      end if;
      {{ dbtdeploy.postgres_refuse_untrusted_roles() }}
      if not dry then
        {{ dbtdeploy.postgres_lock_place() }}
        {{ dbtdeploy.postgres_set_fence() }}
        if not found then
          raise exception 'another run of this environment and project took over' using errcode = 'DD003';
        end if;
      end if;
      {# Once a clean-up has dropped one, anybody who may make schemas could have made another of its name. #}
      {{ dbtdeploy.postgres_refuse_taken_names("select n.nspname from jsonb_array_elements(job -> 'records') r cross join jsonb_array_elements(r -> 'nodes') d"
        ~ " join pg_namespace n on n.nspname = d ->> 'kept_in' where not pg_has_role(n.nspowner, 'usage')"
        ~ " or split_part(coalesce(obj_description(n.oid, 'pg_namespace'), ''), chr(10), 1) <> r ->> 'kept_line'") }}
      select coalesce(array_agg(format('the release %s (%s) is not live: %s', k.tag, k.release_id,
          coalesce(r.state, 'the warehouse does not know it')) order by k.n), '{}') into said
        from (select value ->> 'release_id' as release_id, value ->> 'tag' as tag, n
          from jsonb_array_elements(job -> 'records') with ordinality t(value, n)) k
        left join dbt_deploy.releases r on r.environment = job ->> 'environment' and r.project = job ->> 'project'
          and r.release_id = k.release_id
        where r.state is distinct from 'live';
      said := said || array(
        select format('the release %s (%s) went live after it', r.tag, r.release_id)
        from dbt_deploy.releases r where r.environment = job ->> 'environment' and r.project = job ->> 'project' and r.state = 'live'
          and r.release_id not in (select value ->> 'release_id' from jsonb_array_elements(job -> 'records'))
          and r.swapped_at > (select min(o.swapped_at) from dbt_deploy.releases o
            where o.environment = r.environment and o.project = r.project
              and o.release_id in (select value ->> 'release_id' from jsonb_array_elements(job -> 'records')))
        order by r.swapped_at);
      if said <> '{}' then
        raise exception using errcode = 'DD001', message = said[1];
      end if;
{% endmacro %}


{# What to move where. Only what is live now is compared with its record: the rest is as it was kept. #}
{% macro postgres_take_back_plan() %}
      spots := '{}'; moved := '{}'; moved_to := '{}'; marks := '{}'; remakes := '[]'; drops := '{}'; leaving := '{}'; entering := '{}';
      said := '{}'; missing := '{}'; left_alone := '{}'; undo := '[]'; narrow := '[]'; replaced := '[]';
      for it in
        select r.value ->> 'mark' as mark, r.value ->> 'release_id' as release_id, d.value ->> 'unique_id' as unique_id, d.value as node, d.value ->> 'schema' as schema, d.value ->> 'undone' as undone,
          d.value ->> 'back_by' as back_by, d.value -> 'statements' as statements, d.value ->> 'kind' as kind,
          format('%I.%I', d.value ->> 'schema', (d.value ->> 'identifier')::name) as name,
          quote_ident(d.value ->> 'kept_in') || '.' || quote_ident((d.value ->> 'identifier')::name) as kept_name
        from jsonb_array_elements(job -> 'records') with ordinality r(value, n)
        cross join jsonb_array_elements(r.value -> 'nodes') with ordinality d(value, n)
        where d.value ->> 'back_by' <> 'rebuild'
        order by r.n, d.n
      loop
        here := case when spots ? it.name then (spots ->> it.name)::oid else to_regclass(it.name)::oid end;
        kept := (select c.oid from pg_class c where c.oid = to_regclass(it.kept_name) and pg_has_role(c.relowner, 'usage'));
        how := {{ dbtdeploy.postgres_changed_in_place('it.release_id', 'it.unique_id', 'kept') }};
        if how ->> 'oid' = here::text and how -> 'added' <> '[]' then
          narrow := narrow || jsonb_build_object('name', it.name, 'live', here::bigint, 'identifier', it.node ->> 'identifier', 'undone', it.undone, 'mark', it.mark, 'added', how -> 'added');
        end if;
        if it.back_by = 'leave' and not (job ->> 'restore_incremental')::bool then
          left_alone := array_append(array_remove(left_alone, it.name), it.name);
          continue;
        end if;
        if how is not null or it.kept_name = any (was_changes) then
          if how is not null then
            if not spots ? it.name then
              {{ dbtdeploy.postgres_compare_with_record() }}
            end if;
            undo := undo || jsonb_build_object('name', it.name, 'live', here::bigint, 'kept', kept::bigint, 'kept_name', it.kept_name, 'how', how);
          end if;
          spots := spots || jsonb_build_object(it.name, here::bigint);
          continue;
        end if;
        if not spots ? it.name then
          {{ dbtdeploy.postgres_compare_with_record() }}
          if here is not null then
            replaced := replaced || jsonb_build_object('name', it.name, 'oid', here::bigint);
            leaving := leaving || here;
          end if;
        end if;
        if here is not null then
          moved := moved || here;
          moved_to := moved_to || it.undone;
          if not marks ? it.undone then
            marks := marks || jsonb_build_object(it.undone, it.mark);
          end if;
        end if;
        here := null;
        if spots ? it.name then
          remakes := (select coalesce(jsonb_agg(value order by n), '[]')
            from jsonb_array_elements(remakes) with ordinality t(value, n) where value ->> 'name' <> it.name);
        end if;
        if it.back_by = 'remove' then
          null;
        elsif it.statements <> '[]' and (it.back_by = 'recreate' or kept is null) then
          remakes := remakes || jsonb_build_object('name', it.name, 'statements', it.statements);
          drops := drops || array_remove(array[kept], null);
        elsif kept is null then
          missing := missing || coalesce(it.kept_name, it.name);
          said := said || format('%s: what was kept of it is gone', it.name);
        else
          here := kept;
          entering := entering || kept;
          moved := moved || kept;
          moved_to := moved_to || it.schema;
        end if;
        spots := spots || jsonb_build_object(it.name, here::bigint);
      end loop;
      recreated := array(select value ->> 'name' from jsonb_array_elements(remakes));
      restored := array(select key from jsonb_each(spots) where value <> 'null' order by 1);
      removed := array(select key from jsonb_each(spots) where value = 'null' and key <> all (recreated || missing) order by 1);
      left_alone := array(select name from unnest(left_alone) name where not spots ? name);
{% endmacro %}

{% macro postgres_compare_with_record() %}
          select case
              when c.oid is null and (it.back_by = 'remove' or coalesce(it.kind, 'view') <> 'table') then null
              when c.oid is null then ' is gone'
              when not pg_has_role(c.relowner, 'usage') then ' belongs to ' || pg_get_userbyid(c.relowner)
              when k.kind <> coalesce(it.kind, k.kind) then ' was a ' || replace(it.kind, '_', ' ') || ' and is a ' || replace(k.kind, '_', ' ')
              when it.node -> 'columns' <> '[]' then {{ dbtdeploy.postgres_columns_differ("it.node -> 'columns'", 'c.oid') }}
            end into differs
            from (select 1) one left join pg_class c on c.oid = here
            cross join lateral (select {{ dbtdeploy.postgres_kind('c.relkind') }} as kind) k;
          if differs is not null then
            said := said || (it.name || differs);
          end if;
{% endmacro %}


{#
  Kept views are dropped, each by itself: one that somebody made something on stays where it is. Then a
  keeping schema that is empty goes.
#}
{% macro postgres_take_back_move() %}
      for it in select unnest(drops) as oid order by 1 desc loop
        begin
          execute (select format('drop %s %s', case c.relkind when 'm' then 'materialized view' else 'view' end, c.oid::regclass)
            from pg_class c where c.oid = it.oid);
        exception when dependent_objects_still_exist then
          null;
        end;
      end loop;
      {{ dbtdeploy.postgres_refuse_taken_names('select key from jsonb_each_text(marks)') }}
      for it in select key as name, value as mark from jsonb_each_text(marks) loop
        execute format('create schema %I', it.name);
        execute format('comment on schema %I is %L', it.name, it.mark);
        {{ dbtdeploy.postgres_close_schema('it.name') }}
      end loop;
      {{ dbtdeploy.postgres_refuse_schemas_of_others('select unnest(moved_to)') }}
      for it in select relation, name from unnest(moved, moved_to) with ordinality t(relation, name, n) order by n loop
        {{ dbtdeploy.postgres_move('it.relation', 'it.name') }}
      end loop;
      for it in select distinct n.nspname as name from jsonb_array_elements(job -> 'records') r
          cross join jsonb_array_elements(r -> 'nodes') d join pg_namespace n on n.nspname = d ->> 'kept_in' loop
        begin
          execute format('drop schema %I', it.name);
        exception when dependent_objects_still_exist then
          null;
        end;
      end loop;
{% endmacro %}


{% macro postgres_take_back_rows() %}
      swapped_at := clock_timestamp();
      update dbt_deploy.releases r set state = 'taken back', taken_back_at = swapped_at
        where r.environment = job ->> 'environment' and r.project = job ->> 'project'
          and r.release_id in (select value ->> 'release_id' from jsonb_array_elements(job -> 'records'));
      delete from dbt_deploy.changed_tables t where t.environment = job ->> 'environment' and t.project = job ->> 'project'
        and t.release_id in (select value ->> 'release_id' from jsonb_array_elements(job -> 'records'));
      delete from dbt_deploy.removed_models m where m.environment = job ->> 'environment' and m.project = job ->> 'project'
        and m.release_id in (select value ->> 'release_id' from jsonb_array_elements(job -> 'records'));
{% endmacro %}
