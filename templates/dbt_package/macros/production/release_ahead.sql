{#
  What takes long to make again on the new relations, done before readers have to wait: materialized views outside the
  project, with the views between, are made beside the old ones, on the staged relations; foreign keys are checked
  against the staged rows, while whoever writes to their tables waits. What cannot be done so is made under the locks.

    ahead     {name of a view: {aside, statements}}, made in a schema `aside` of its own
    checked   {name of a foreign key: {holder, constraint}} whose rows all have their counterpart
#}
{% macro postgres_build_ahead() %}
          ahead := '{}';
          checked := '{}';
          {# Nothing is locked yet: what somebody drops meanwhile is met under the locks, in the words that fit it. #}
          begin
            {{ dbtdeploy.postgres_release_things() }}
            plain := things;
            {{ dbtdeploy.postgres_check_foreign_keys() }}
          exception when internal_error or undefined_table then
            plain := '[]';
            checked := '{}';
          end;
          if exists (select from jsonb_array_elements(plain) where value ->> 'kind' = 'materialized view' and not (value ->> 'staged')::bool) then
            begin
              {{ dbtdeploy.postgres_read_under_other_names() }}
              {{ dbtdeploy.postgres_make_ahead() }}
            exception when others then
              ahead := '{}';
            end;
          end if;
{% endmacro %}


{# As PostgreSQL checks them, MATCH SIMPLE. One that is broken is left for its own error. #}
{% macro postgres_check_foreign_keys() %}
            for it in
              select k.oid, k.conname, format('%s on %I.%I', quote_ident(k.conname), hn.nspname, h.relname) as name, k.conrelid, h.oid::regclass as holder,
                s.oid::regclass as staged,
                (select string_agg(format('r.%I = h.%I', f.attname, a.attname), ' and ' order by x.n) from unnest(k.conkey, k.confkey) with ordinality x(a, f, n)
                  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = x.a join pg_attribute f on f.attrelid = k.confrelid and f.attnum = x.f) as pairing,
                (select string_agg(format('h.%I is not null', a.attname), ' and ') from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any (k.conkey)) as given
              from pg_constraint k join pg_class h on h.oid = k.conrelid join pg_namespace hn on hn.oid = h.relnamespace
              join jsonb_array_elements(pairs) p on (p.value ->> 'old')::oid = k.confrelid join pg_class s on s.oid = (p.value ->> 'new')::oid
              where k.contype = 'f' and k.confmatchtype = 's' and k.convalidated and k.conparentid = 0 and h.relkind = 'r' and s.relkind = 'r'
                and k.conrelid <> all (leaving || entering)
              order by k.conrelid
            loop
              waits_for := it.conrelid;
              perform set_config('lock_timeout', '250ms', true);
              execute format('lock table %s in share row exclusive mode', it.holder);
              waits_for := null;
              execute format('select exists (select from %s h where %s and not exists (select from %s r where %s)) as broken',
                it.holder, it.given, it.staged, it.pairing) into part;
              if not part.broken then
                checked := checked || jsonb_build_object(it.name, jsonb_build_object('holder', it.conrelid::bigint, 'constraint', it.conname));
              end if;
            end loop;
{% endmacro %}


{#
  The same things once more, while each schema concerned bears a name that stands in no text, in a subtransaction that is
  undone: nobody else sees that name, and nobody waits.
#}
{% macro postgres_read_under_other_names() %}
              asides := array(select distinct n.nspname::text from (
                  select c.relnamespace as oid from pg_class c where c.oid = any (leaving)
                  union select to_regnamespace(quote_ident(value ->> 'schema'))::oid from jsonb_array_elements(plain)
                ) s join pg_namespace n on n.oid = s.oid order by 1);
              begin
                perform set_config('lock_timeout', '250ms', true);
                for it in select name, n from unnest(asides) with ordinality u(name, n) loop
                  execute format('alter schema %I rename to %I', it.name, 'names_' || (job ->> 'quote') || '_' || it.n || '_');
                end loop;
                {{ dbtdeploy.postgres_release_things() }}
                raise exception 'read' using errcode = 'DD006';
              exception when sqlstate 'DD006' then
                null;
              end;
{% endmacro %}


{# Parents first. Each keeps its own name, which its readers use for its columns. #}
{% macro postgres_make_ahead() %}
              for it in select name, n from unnest(asides) with ordinality u(name, n) loop
                execute format('create schema %I', 'ahead_' || (job ->> 'quote') || '_' || it.n || '_');
              end loop;
              for it in select t.value, s.value as was, n from jsonb_array_elements(things) with ordinality t(value, n)
                  join jsonb_array_elements(plain) with ordinality s(value, n) using (n)
                  where t.value ->> 'kind' in ('view', 'materialized view') and not (t.value ->> 'staged')::bool order by n loop
                for part in select value as statement from jsonb_array_elements_text(it.value -> 'statements') loop
                  later := array[part.statement];
                  for step in
                    select u.n, u.name, format('names_%s_%s_', job ->> 'quote', u.n) as alias, format('ahead_%s_%s_', job ->> 'quote', u.n) as aside
                    from unnest(asides) with ordinality u(name, n)
                  loop
                    for layout in
                      select p.value ->> 'identifier' as name, format('%I.%I', p.value ->> 'staging_schema', p.value ->> 'staging_identifier') as instead
                      from jsonb_array_elements(pairs) p where p.value ->> 'schema' = step.name and p.value ->> 'old' is not null
                      union all
                      select value ->> 'identifier', format('%I.%I', step.aside, value ->> 'identifier') from jsonb_array_elements(plain)
                      where value ->> 'schema' = step.name and value ->> 'kind' in ('view', 'materialized view') and not (value ->> 'staged')::bool
                    loop
                      later[1] := regexp_replace(later[1], step.alias || '\.' || regexp_replace(quote_ident(layout.name), '([^[:alnum:]_ ])', '\\\1', 'g') || '(?![[:alnum:]_$"])',
                        replace(layout.instead, '\', '\\'), 'g');
                    end loop;
                    later[1] := replace(later[1], step.alias || '.', quote_ident(step.name) || '.');
                  end loop;
                  execute later[1];
                end loop;
                ahead := ahead || jsonb_build_object(it.was ->> 'name', jsonb_build_object('statements', it.was -> 'statements',
                  'aside', 'ahead_' || (job ->> 'quote') || '_' || array_position(asides, it.was ->> 'schema') || '_'));
              end loop;
{% endmacro %}


{# Only where nothing was changed since, by the very statements that make it. #}
{% macro postgres_refuse_stale_ahead() %}
      if exists (select from jsonb_each(ahead) a left join jsonb_array_elements(things) t on t.value ->> 'name' = a.key
          where t.value -> 'statements' is distinct from a.value -> 'statements') then
        {{ dbtdeploy.postgres_drop_asides('cascade') }}
        ahead := '{}';
      end if;
{% endmacro %}

{% macro postgres_drop_asides(how='') %}
        for it in select n from generate_subscripts(asides, 1) n where ahead <> '{}' loop
          execute format('drop schema %I {{ how }}', 'ahead_' || (job ->> 'quote') || '_' || it.n || '_');
        end loop;
{% endmacro %}


{# In place of making it: `it.value` is the thing. #}
{% macro postgres_bring_ahead() %}
        execute format('alter %s %I.%I set schema %I', it.kind, ahead #>> array[it.name, 'aside'], it.value ->> 'identifier', it.value ->> 'schema');
{% endmacro %}


{#
  After the commit: keys that were checked before are marked as valid, which keeps no reader and no writer waiting. The
  answer tells one that could not be.
#}
{% macro postgres_validate_foreign_keys(job) %}
  {% set block %}
declare
  it record;
begin
  perform set_config('lock_timeout', '5s', true);
  for it in select k.conname, k.conrelid::regclass as holder from jsonb_array_elements_text(coalesce(nullif(current_setting('dbt_deploy.validate', true), ''), '[]')::jsonb) v
      join pg_constraint k on k.oid = v.value::oid loop
    begin
      execute format('alter table %s validate constraint %I', it.holder, it.conname);
    exception when others then
      perform set_config('dbt_deploy.told', jsonb_set(current_setting('dbt_deploy.told')::jsonb, '{detail}',
        (current_setting('dbt_deploy.told')::jsonb -> 'detail') || to_jsonb(format('%I on %s is not validated: %s', it.conname, it.holder, sqlerrm)))::text, false);
    end;
  end loop;
end
  {% endset %}
  {{ return(run_query(dbtdeploy.postgres_own_names_only() ~ "select set_config('statement_timeout', '0', true);\ndo $" ~ job.quote ~ '$\n' ~ block ~ '\n$' ~ job.quote
      ~ "$;\ncommit;\nselect set_config('dbt_deploy.validate', '', false);\nselect " ~ dbtdeploy.postgres_answer("current_setting('dbt_deploy.told')")).rows[0][0][1:]) }}
{% endmacro %}
