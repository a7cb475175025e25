{#
  A seed that is changed in place: dbt empties it and loads its file, and so does the swap, as the last it
  does, because TRUNCATE stops readers. Its old rows are kept whole, as they were just before.

  The parts use the variables of release_in_place.sql and, for the way back, of release_undo_in_place.sql.
#}

{# Found before the build: what PostgreSQL would refuse to empty, for dbt as for the swap. #}
{% macro postgres_refuse_untruncatable() %}
        for part in select quote_ident(k.conname) as name, k.conrelid::regclass as of from pg_constraint k
            where k.contype = 'f' and k.confrelid = source and k.conrelid <> source order by 1 loop
          raise exception 'the foreign key % of % references the seed %, and PostgreSQL does not truncate such a table, neither for dbt nor for a release. Drop the foreign key, or set `full_refresh: true` in the seed''s config: it is then replaced',
            part.name, part.of, source::regclass;
        end loop;
{% endmacro %}


{# All columns but the generated ones, in their order. #}
{% macro postgres_keep_seed() %}
          {{ dbtdeploy.postgres_make_keeping('it.keep') }}
          execute format('create table %I.%I as select %s from %s', it.keep, it.identifier,
            (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
              where a.attrelid = it.live and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''), it.full_name);
{% endmacro %}

{% macro postgres_empty_live() %}
          waits_for := it.live;
          {{ dbtdeploy.postgres_sessions_path() }}
          execute format('truncate %s', it.full_name);
          {{ dbtdeploy.postgres_empty_path() }}
          waits_for := null;
          execute format('truncate %s', map);
          expected := 0;
{% endmacro %}

{% macro postgres_note_seed() %}
          insert into dbt_deploy.changed_tables (environment, project, release_id, unique_id, oid, kept, files, layouts, added, altered, cascaded, whole)
            values (job ->> 'environment', job ->> 'project', job ->> 'release_id', it.value ->> 'unique_id', it.live,
              to_regclass(format('%I.%I', it.keep, it.identifier))::oid, '{}', '{}', to_jsonb(it.added), it.reshaped, '[]', true);
{% endmacro %}


{# Whatever was loaded or written there since goes: the release that is taken back brought another file. #}
{% macro postgres_undo_seeds() %}
          for undone in select value ->> 'name' as name, (value ->> 'live')::oid as live, (value ->> 'kept')::oid as kept
              from jsonb_array_elements(undo_done) with ordinality u(value, n) where (value #>> '{how,whole}')::bool order by n loop
            begin
              waits_for := undone.live;
              {{ dbtdeploy.postgres_sessions_path() }}
              execute format('truncate %s', undone.live::regclass);
              waits_for := null;
              select string_agg(quote_ident(a.attname), ', ' order by a.attnum) as names into part from pg_attribute a
                where a.attrelid = undone.kept and a.attnum > 0 and not a.attisdropped;
              {# As text, because not every type has an equality. #}
              execute format('with came as (insert into %1$s (%2$s) overriding system value select %2$s from %3$s returning row(%2$s)::text as row)'
                ' select (select count(*) from came) as rows, (select count(*) from (select row(%2$s)::text from %3$s except all select row from came) x) as others',
                undone.live::regclass, part.names, undone.kept::regclass) into part;
              taken := part.rows;
              rewritten := part.others;
              {{ dbtdeploy.postgres_empty_path() }}
              execute format('select count(*) from %s', undone.kept::regclass) into counted;
              if counted <> taken then
                raise exception '% of % rows could be taken back; a trigger or policy of the table kept the rest', taken, counted;
              end if;
              {{ dbtdeploy.postgres_refuse_rewritten('Disable the triggers for the rollback') }}
              execute format('drop table %s', undone.kept::regclass);
            exception
              when lock_not_available or deadlock_detected then
                raise;
              when others then
                said := array[format('%s: %s', undone.name, sqlerrm)];
                raise exception using errcode = 'DD002', message = said[1];
            end;
          end loop;
{% endmacro %}
