{#
  Takes back what a release did to the rows of a table that it changed in place (release_in_place.sql),
  and leaves what others wrote there since. A row is still the release's where its version bears the
  swap's own xid and lies where the swap put it.

  The parts of the DO block of release_take_back.sql use `undo`: [{name, live, kept, how}], newest release
  first, `how` being the row of dbt_deploy.changed_tables.
#}

{#
  What dbt_deploy.changed_tables says of a kept relation of a record's node: null where it is a table as it
  was. By the oid, so that a relation of its name that came later is never read.
#}
{% macro postgres_changed_in_place(release, node, kept) %}
  case when to_regclass('dbt_deploy.changed_tables') is null then null::jsonb else
    (select to_jsonb(t) from dbt_deploy.changed_tables t where t.environment = job ->> 'environment' and t.project = job ->> 'project'
      and t.release_id = {{ release }} and t.unique_id = {{ node }} and t.kept = {{ kept }}::bigint) end
{% endmacro %}


{# Into `said` what keeps its rows from being taken back; writes nothing. #}
{% macro postgres_refuse_undo() %}
      for undone in select value ->> 'name' as name, (value ->> 'live')::oid as live, (value ->> 'kept')::oid as kept, value -> 'how' as how
          from jsonb_array_elements(undo) loop
        if undone.live is null then
          said := array_append(array_remove(said, undone.name || ' is gone'), undone.name || ' is gone');
        elsif undone.live is distinct from (undone.how ->> 'oid')::oid then
          said := said || format('%s was made anew since the release changed its rows', undone.name);
        elsif (undone.how ->> 'altered')::bool then
          said := said || format('%s: the release dropped columns or changed their types, so its old rows do not fit it any more', undone.name);
        elsif undone.how -> 'files' <> {{ dbtdeploy.postgres_files('undone.live') }} then
          said := said || format('%s was rewritten since the release changed its rows (VACUUM FULL, CLUSTER, ALTER TABLE or TRUNCATE)', undone.name);
        else
          execute format('select count(*) as rows from %s k where k.live is not null and not exists'
            ' (select from %s l where l.ctid = k.live and l.tableoid = k.of and l.xmin::text = $1)', undone.kept::regclass, undone.live::regclass)
            into part using undone.how ->> 'written';
          if part.rows > 0 then
            said := said || format('%s: %s of the rows that the release wrote were written to since', undone.name, part.rows);
          end if;
        end if;
      end loop;
{% endmacro %}


{% macro postgres_lock_undone() %}
      for undone in select (value ->> 'live')::oid as live from jsonb_array_elements(undo)
          where value ->> 'live' is not null order by 1 loop
        waits_for := undone.live;
        perform set_config('lock_timeout', '250ms', true);
        execute format('lock table %s in share row exclusive mode', undone.live::regclass);
      end loop;
      waits_for := null;
{% endmacro %}


{#
  New rows go, overwritten ones get what they held, deleted ones come again, with their numbers. Triggers
  of the table see it as they see any write.
#}
{% macro postgres_undo_in_place() %}
      for undone in select value ->> 'name' as name, (value ->> 'live')::oid as live, (value ->> 'kept')::oid as kept, value -> 'how' as how
          from jsonb_array_elements(undo) with ordinality u(value, n) order by n loop
        begin
          taken := 0;
          execute format('delete from %s l using %s k where k.old is null and k.live is not null and l.ctid = k.live and l.tableoid = k.of and l.xmin::text = $1',
            undone.live::regclass, undone.kept::regclass) using undone.how ->> 'written';
          get diagnostics counted = row_count;
          taken := taken + counted;
          for layout in select key, value from jsonb_each(undone.how -> 'layouts') loop
            execute format('create type %s as (%s)', format('%I.%I', (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = undone.kept), layout.key),
              (select string_agg(format('%I %s', c.name, c.type), ', ' order by c.number) from jsonb_to_recordset(layout.value) as c(number int, name text, type text)));
            for part in
              select format('%I.%I', (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = undone.kept), layout.key) as type,
                string_agg(quote_ident(a.attname), ', ' order by a.attnum) as names,
                string_agg(format('(k.row).%I', a.attname), ', ' order by a.attnum) as held,
                string_agg(format('%1$I = (k.row).%1$I', a.attname), ', ' order by a.attnum) filter (where a.attidentity <> 'a') as sets
              from jsonb_to_recordset(layout.value) as c(name text)
              join pg_attribute a on a.attrelid = undone.live and a.attname = c.name and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            loop
              execute format('update %s l set %s from (select k.*, k.old::%s as row from %s k where k.layout = $2 and k.old is not null and k.live is not null) k'
                ' where l.ctid = k.live and l.tableoid = k.of and l.xmin::text = $1', undone.live::regclass, part.sets, part.type, undone.kept::regclass)
                using undone.how ->> 'written', layout.key;
              get diagnostics counted = row_count;
              taken := taken + counted;
              execute format('insert into %s (%s) overriding system value select %s from (select k.id, k.old::%s as row from %s k'
                ' where k.layout = $1 and k.old is not null and k.live is null) k order by k.id', undone.live::regclass, part.names, part.held, part.type, undone.kept::regclass)
                using layout.key;
              get diagnostics counted = row_count;
              taken := taken + counted;
              execute format('drop type %s', part.type);
            end loop;
          end loop;
          execute format('select count(*) as rows from %s where old is not null or live is not null', undone.kept::regclass) into part;
          if part.rows <> taken then
            raise exception '% of % rows could be taken back; a trigger, policy or foreign key of the table kept the rest', taken, part.rows;
          end if;
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
