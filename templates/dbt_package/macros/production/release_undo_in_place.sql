{#
  Takes back what a release did to the rows of a table that it changed in place (release_in_place.sql),
  and leaves what others wrote there since. A row is still the release's where its version bears the
  swap's own xid and lies where the swap put it. Where a later release changed it, and is taken back, the row that
  comes back in its place is the older release's again.

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
      for undone in select u.value ->> 'name' as name, (u.value ->> 'live')::oid as live, (u.value ->> 'kept')::oid as kept, u.value -> 'how' as how,
          (select string_agg(format(' and not exists (select from %s k where k.was_of = k0.of and k.was_live = k0.live and k.was_version = k0.version)',
              (o.value ->> 'kept')::oid::regclass), '') from jsonb_array_elements(undo) with ordinality o(value, n)
            where o.n < u.n and o.value -> 'live' = u.value -> 'live') as later
          from jsonb_array_elements(undo) with ordinality u(value, n) loop
        if undone.live is null then
          said := array_append(array_remove(said, undone.name || ' is gone'), undone.name || ' is gone');
        elsif undone.live is distinct from (undone.how ->> 'oid')::oid then
          said := said || format('%s was made anew since the release changed its rows', undone.name);
        elsif (undone.how ->> 'whole')::bool and not (undone.how ->> 'altered')::bool then
          continue;
        elsif (undone.how ->> 'altered')::bool then
          said := said || format('%s: the release dropped columns or changed their types, so its old rows do not fit it any more', undone.name);
        elsif {{ dbtdeploy.postgres_rewritten("undone.how -> 'files'", 'undone.live') }} then
          said := said || format('%s was rewritten since the release changed its rows (VACUUM FULL, CLUSTER, ALTER TABLE or TRUNCATE)', undone.name);
        elsif undone.how -> 'cascaded' <> '[]' then
          said := said || format('%s: foreign keys carried the release''s DELETE or UPDATE on, into rows that a rollback does not put back: %s', undone.name,
            (select string_agg(c.line, ', ') from jsonb_array_elements_text(undone.how -> 'cascaded') c(line)));
        else
          execute format('select count(*) as rows from %s k0 where k0.live is not null and not exists'
            ' (select from %s l where l.ctid = k0.live and l.tableoid = k0.of and l.xmin = k0.version)%s', undone.kept::regclass, undone.live::regclass, undone.later)
            into part;
          if part.rows > 0 then
            said := said || concat(format('%s: %s of the rows that the release wrote were written to since', undone.name, part.rows),
              ', or went with a partition: ' || {{ dbtdeploy.postgres_partitions_gone("undone.how -> 'files'", 'undone.live') }});
          end if;
        end if;
      end loop;
{% endmacro %}


{% macro postgres_lock_undone() %}
      {{ dbtdeploy.postgres_stop_autovacuum("with recursive family(oid) as (select (value ->> 'live')::oid from jsonb_array_elements(undo)"
        ~ ' union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid) select oid from family') }}
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
          from jsonb_array_elements(undo) with ordinality u(value, n) where not (value #>> '{how,whole}')::bool order by n loop
        begin
          {{ dbtdeploy.postgres_identify_rows('undone.kept') }}
          taken := 0;
          rewritten := 0;
          execute format('select count(*) as rows from %s where old is not null or live is not null', undone.kept::regclass) into part;
          expected := part.rows;
          {{ dbtdeploy.postgres_sessions_path() }}
          execute format('delete from %s l using %s k where k.old is null and k.live is not null and l.ctid = k.live and l.tableoid = k.of and l.xmin = k.version',
            undone.live::regclass, undone.kept::regclass);
          get diagnostics counted = row_count;
          taken := taken + counted;
          for layout in select key, value from jsonb_each(undone.how -> 'layouts') loop
            execute format('create type %s as (%s)', format('%I.%I', (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = undone.kept), layout.key),
              (select string_agg(format('%I %s', c.name, c.type), ', ' order by c.number) from jsonb_to_recordset(layout.value) as c(number int, name text, type text)));
            for part in
              select format('%I.%I', (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = undone.kept), layout.key) as type,
                string_agg(quote_ident(a.attname), ', ' order by a.attnum) as names,
                string_agg(format('(k.row).%I', a.attname), ', ' order by a.attnum) as held,
                string_agg(format('%1$I = (k.row).%1$I', a.attname), ', ' order by a.attnum) filter (where a.attidentity <> 'a') as sets,
                string_agg(format('l.%I', a.attname), ', ' order by a.attnum) filter (where a.attidentity <> 'a') as settable,
                string_agg(format('(k.row).%I', a.attname), ', ' order by a.attnum) filter (where a.attidentity <> 'a') as held_settable
              from jsonb_to_recordset(layout.value) as c(name text)
              join pg_attribute a on a.attrelid = undone.live and a.attname = c.name and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            loop
              {# All that this block writes bears its xid, such as the type that it has just made. #}
              ours := (select y.xmin from pg_type y where y.oid = to_regtype(part.type));
              execute format('with back as (update %1$s l set %2$s from (select k.*, k.old::%3$s as row from %4$s k where k.layout = $1 and k.old is not null and k.live is not null) k'
                ' where l.ctid = k.live and l.tableoid = k.of and l.xmin = k.version'
                ' returning k.id, l.tableoid as of, l.ctid as live, row(%5$s) as put, row(%6$s) as held),'
                ' noted as (update %4$s k set of = b.of, live = b.live, version = $2 from back b where k.id = b.id returning b.put *<> b.held as other)'
                ' select count(*) as rows, count(*) filter (where other) as others from noted',
                undone.live::regclass, part.sets, part.type, undone.kept::regclass, part.settable, part.held_settable)
                into step using layout.key, ours;
              taken := taken + step.rows;
              rewritten := rewritten + step.others;
              execute format('with went as (select k.id, k.old::%1$s as row, row_number() over (order by k.id) as r from %4$s k where k.layout = $1 and k.old is not null and k.live is null),'
                ' came as (insert into %2$s as l (%3$s) overriding system value select %5$s from (select id, row from went order by id) k'
                ' returning l.tableoid as of, l.ctid as live, row(%6$s) as put),'
                ' numbered as (select row_number() over () as r, of, live, put from came),'
                ' noted as (update %4$s t set of = n.of, live = n.live, version = $2 from numbered n join went k using (r) where t.id = k.id'
                ' returning n.put *<> row(%7$s) as other)'
                ' select count(*) as rows, count(*) filter (where other) as others from noted',
                part.type, undone.live::regclass, part.names, undone.kept::regclass, part.held, part.settable, part.held_settable)
                into step using layout.key, ours;
              taken := taken + step.rows;
              rewritten := rewritten + step.others;
              execute format('drop type %s', part.type);
            end loop;
          end loop;
          {{ dbtdeploy.postgres_empty_path() }}
          if expected <> taken then
            raise exception '% of % rows could be taken back; a trigger, policy or foreign key of the table kept the rest', taken, expected;
          end if;
          {{ dbtdeploy.postgres_refuse_rewritten('Roll back without restore-incremental, or disable the triggers for the rollback') }}
          {{ dbtdeploy.postgres_hand_over_rows() }}
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


{#
  What came back is what was kept, compared by its bytes, as no type has to have an equality. An AFTER trigger that
  writes to the row does what it does at any write.
#}
{% macro postgres_refuse_rewritten(remedy) %}
              if rewritten > 0 then
                raise exception '% of the rows that the rollback put back do not hold what was kept of them, because a trigger of the table changed them (%). {{ remedy }} (ALTER TABLE % DISABLE TRIGGER ..., and ENABLE it afterwards)',
                  rewritten, (
                    with recursive family(oid) as (select undone.live union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid)
                    select coalesce(string_agg(distinct quote_ident(g.tgname), ', '), 'none is there now') from family f join pg_trigger g on g.tgrelid = f.oid
                    where not g.tgisinternal and g.tgenabled in ('O', 'A') and g.tgtype & 3 = 3 and g.tgtype & 20 > 0), undone.live::regclass;
              end if;
{% endmacro %}


{# Rows that came back are those of the releases before, which know them by the versions that they had. #}
{% macro postgres_hand_over_rows() %}
          for part in select c.oid from dbt_deploy.changed_tables t join pg_class c on c.oid = t.kept::oid
              where t.environment = job ->> 'environment' and t.project = job ->> 'project' and t.oid = undone.live::bigint and t.kept <> undone.kept::bigint
                and pg_has_role(c.relowner, 'usage') loop
            {{ dbtdeploy.postgres_identify_rows('part.oid') }}
            execute format('update %s k set of = n.of, live = currtid2(n.of::regclass::text, n.live), version = n.version from %s n'
              ' where n.old is not null and n.was_of = k.of and n.was_live = k.live and n.was_version = k.version', part.oid::regclass, undone.kept::regclass);
          end loop;
{% endmacro %}
