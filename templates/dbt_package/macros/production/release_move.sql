{#
  What a swap and a take-back do alike, as parts of a DO block. Its variables:

    job        the job
    leaving    oids of relations that leave their production schema
    entering   oids of relations that come there
    reshaping  oids of relations that stay, and are changed in a way that readers wait for
    things     what hangs on those that leave, from outside: [{name, kind, owner, ours, drop, statements, ...}]
    said       lines for people; a variable outlives a subtransaction that is undone
    at_work_on the table whose rows are being changed, for a failure of the warehouse's own
    it, part   records to loop with

  A failure that has a name is an exception with a code of ours: DD001 production is not what it was,
  DD002 something does not fit, DD003 another run took over, DD004 it was done before, DD005 another role could
  make its code run, which postgres_do answers.
#}

{#
  Takes the lock that moving takes, on all that moves and all that hangs on it; the views first, as
  their readers do. An owner that stays the same changes nothing. LOCK TABLE would lock what a view
  reads, too. Waits `reader_wait_ms` in all, and some more for thousands of relations: a reader that queues
  behind us for deadlock_timeout, 1 s, while we wait for it would get an error.
#}
{% macro postgres_lock_what_moves() %}
  {{ dbtdeploy.postgres_stop_autovacuum('with recursive family(oid) as (select unnest(leaving || entering || reshaping)'
    ~ ' union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid) select oid from family'
    ~ " union select k.conrelid from pg_constraint k where k.contype = 'f' and k.confrelid = any (leaving)") }}
  patience := clock_timestamp() + (job ->> 'reader_wait_ms')::int * interval '1 ms' + least(cardinality(leaving) * interval '0.1 ms', interval '400 ms');
  for it in
    with recursive above(oid) as (
      select unnest(leaving || entering || reshaping)
      union
      select x.oid from above a cross join lateral (
        select w.ev_class from pg_depend d join pg_rewrite w on w.oid = d.objid
          where d.refclassid = 'pg_class'::regclass and d.refobjid = a.oid and d.classid = 'pg_rewrite'::regclass
        union all
        select i.inhrelid from pg_inherits i where i.inhparent = a.oid
      ) x(oid)
    ), concerned as (
      select oid from above
      union
      select k.conrelid from pg_constraint k where k.contype = 'f' and k.confrelid = any (leaving)
    )
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, pg_get_userbyid(c.relowner) as owner
    from concerned a join pg_class c on c.oid = a.oid join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and pg_has_role(c.relowner, 'usage')
    order by c.oid desc
  loop
    waits_for := it.oid;
    perform set_config('lock_timeout', greatest(1, ceil(extract(epoch from patience - clock_timestamp()) * 1000))::int || 'ms', true);
    execute format('alter table %s owner to %I', it.name, it.owner);
  end loop;
  waits_for := null;
  perform set_config('lock_timeout', '250ms', true);
{% endmacro %}


{#
  Autovacuum gives way to whoever has waited deadlock_timeout for its table, unless it works against wraparound, and no
  lock that stops readers is waited for so long. So this one is taken first, which stops neither readers nor
  writers, where somebody holds it. `relations`: a query of oids.
#}
{% macro postgres_stop_autovacuum(relations) %}
  for it in select distinct c.oid, format('%I.%I', n.nspname, c.relname) as name from pg_locks l
      join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
      where l.locktype = 'relation' and l.mode = 'ShareUpdateExclusiveLock' and l.granted and l.pid <> pg_backend_pid()
        and l.database = (select oid from pg_database where datname = current_database())
        and c.relkind in ('r', 'p') and c.oid in ({{ relations }}) order by c.oid loop
    waits_for := it.oid;
    perform set_config('lock_timeout', (select setting::int + 500 from pg_settings where name = 'deadlock_timeout') || 'ms', true);
    execute format('lock table only %s in share update exclusive mode', it.name);
  end loop;
  waits_for := null;
{% endmacro %}


{# A list of relations, and the partitions of each. #}
{% macro postgres_with_partitions(list) %}
  {{ list }} := array(
    with recursive family(oid) as (
      select unnest({{ list }})
      union
      select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
        join pg_class c on c.oid = i.inhrelid and c.relispartition
    )
    select f.oid from family f);
{% endmacro %}


{# Who holds the relation that could not be locked. #}
{% macro postgres_release_holders() %}
  select coalesce(array_agg(concat(format('%I.%I', n.nspname, c.relname), ' is held by ', coalesce(a.usename, a.backend_type),
      ' (process ', a.pid, case when a.application_name <> '' then ', ' || a.application_name end,
      case when a.xact_start is not null then ', since ' || to_char(a.xact_start at time zone 'UTC', 'HH24:MI:SS') || ' UTC' end, ')')
      order by a.pid), '{}')
    into said
    from pg_locks l join pg_stat_activity a on a.pid = l.pid
    join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
    where l.locktype = 'relation' and l.database = (select oid from pg_database where datname = current_database())
      and l.relation = waits_for and l.granted and l.pid <> pg_backend_pid();
{% endmacro %}


{#
  `things`, parents first, and refuses what nobody here could make again. The definitions are read
  under the locks, while every name is still production's. A thing's depth is the length of its longest
  way down.
#}
{% macro postgres_release_things() %}
  things := '[]';
  {{ dbtdeploy.postgres_with_partitions('leaving') }}
  {{ dbtdeploy.postgres_with_partitions('entering') }}
  if leaving <> '{}' then
    with recursive {{ dbtdeploy.postgres_planned('where c.oid = any (leaving)') }},
    {{ dbtdeploy.postgres_taken() }},
    {{ dbtdeploy.postgres_statements() }},
    {{ dbtdeploy.postgres_outside() }},
    ranked(key, depth) as (
      select o.key, 0 from outside o
      union
      select e.key, r.depth + 1 from ranked r join edge e on e.parent = r.key and e.key <> e.parent
      where r.depth < 64 and e.key in (select o.key from outside o)
    )
    select coalesce(jsonb_agg(jsonb_build_object('name', h.full_name, 'kind', h.kind, 'owner', h.owner,
        'ours', h.ours, 'staged', coalesce(o.holder, o.objid) = any (entering), 'schema', o.schema, 'identifier', o.name, 'statements', h.statements, 'drop',
        case when o.holder is null then format('drop %s %s', o.kind, o.full_name)
             when o.classid = 'pg_constraint'::regclass then format('alter table %s drop constraint %I', o.full_name, o.part)
             when o.classid = 'pg_attrdef'::regclass then format('alter table %s alter column %I drop default', o.full_name, o.part)
             else format('drop %s %I on %s', o.kind, o.part, o.full_name)
        end) order by r.depth, o.objid), '[]'),
      (select coalesce(array_agg(concat(l.name, ' of ', l.owner, ' hangs on what is moved')), '{}') from lost l where not l.pull_request)
    into things, said
    from outside o join hanging h on h.key = o.key
    join (select k.key, max(k.depth) as depth from ranked k group by k.key) r on r.key = o.key;
    said := said || array(select format('%s %s of %s hangs on what is moved', value ->> 'kind', value ->> 'name', value ->> 'owner')
      from jsonb_array_elements(things) where not (value ->> 'ours')::bool);
    if said <> '{}' then
      raise exception using errcode = 'DD001', message = said[1];
    end if;
  end if;
{% endmacro %}


{#
  Moves a relation, with its partitions that are in the same schema. `renamed`: the name it shall have
  there; it goes by a name that nothing has, so that it meets neither a relation of its old name nor
  the array type of another (https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/catalog/pg_type.c,
  makeArrayTypeName).
#}
{% macro postgres_move(relation, schema, renamed=none) %}
  for part in
    with recursive family(oid) as (
      select {{ relation }}::oid
      union
      select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
        join pg_class c on c.oid = i.inhrelid and c.relispartition
    )
    select c.oid, format('%I.%I', n.nspname, c.relname) as name
    from family f join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace
    where c.relnamespace = (select r.relnamespace from pg_class r where r.oid = {{ relation }})
    order by c.oid <> {{ relation }}
  loop
    {%- if renamed %}
    if part.oid = {{ relation }} then
      execute format('alter table %s rename to %I', part.name, 'dbt_deploy_' || part.oid);
      execute format('alter table %s set schema %I', part.oid::regclass, {{ schema }});
      execute format('alter table %s rename to %I', part.oid::regclass, {{ renamed }});
      continue;
    end if;
    {%- endif %}
    execute format('alter table %s set schema %I', part.name, {{ schema }});
  end loop;
{% endmacro %}


{#
  A table that was copied shares the sequence of the one it was copied from, which would go with that.
  It follows the one that is live.
#}
{% macro postgres_hand_over_sequences() %}
  for it in
    select distinct s.oid, n.nspname, format('%I.%I.%I', n.nspname, c.relname, a.attname) as owned_by,
      pg_get_userbyid(c.relowner) as owner, s.relowner <> c.relowner as others
    from pg_attrdef e join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = e.oid
      and d.refclassid = 'pg_class'::regclass
    join pg_class s on s.oid = d.refobjid and s.relkind = 'S'
    join pg_depend o on o.classid = 'pg_class'::regclass and o.objid = s.oid and o.deptype = 'a'
    join pg_class c on c.oid = e.adrelid join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = e.adrelid and a.attnum = e.adnum
    where e.adrelid = any (entering) and o.refobjid = any (leaving)
  loop
    execute format('alter sequence %s owned by none', it.oid::regclass);
    if it.others then
      execute format('alter sequence %s owner to %I', it.oid::regclass, it.owner);
    end if;
    execute format('alter sequence %s set schema %I', it.oid::regclass, it.nspname);
    execute format('alter sequence %s owned by %s', it.oid::regclass, it.owned_by);
  end loop;
{% endmacro %}


{# A text as it stands in that of a JSON string. #}
{% macro postgres_in_json(text) %}
(select substr(j, 2, length(j) - 2) from (select to_json({{ text }})::text as j) q)
{% endmacro %}


{# `record`: a variable to loop with; `things`: another list of them. #}
{% macro postgres_drop_things(record='it', things='things') %}
  for {{ record }} in select value from jsonb_array_elements({{ things }}) with ordinality t(value, n) order by n desc loop
    execute {{ record }}.value ->> 'drop';
  end loop;
{% endmacro %}


{# One that fails undoes all, and is named. #}
{% macro postgres_make_things(record='it') %}
  for {{ record }} in select value, value ->> 'name' as name, value ->> 'kind' as kind from jsonb_array_elements(things) loop
    {{ dbtdeploy.postgres_make_or_say(record ~ ".value -> 'statements'", record ~ ".kind || ' ' || " ~ record ~ ".name") }}
    repointed := repointed || ({{ record }}.name)::text;
  end loop;
{% endmacro %}

{% macro postgres_make_or_say(statements, name) %}
    begin
      for part in select value as statement from jsonb_array_elements_text({{ statements }}) loop
        execute part.statement;
      end loop;
    exception
      when lock_not_available or deadlock_detected then
        raise;
      when others then
        said := array[{{ name }} || ': ' || sqlerrm];
        raise exception using errcode = 'DD002', message = said[1];
    end;
{% endmacro %}


{# How each of them ends. `outcome` is `busy` until it is known better. #}
{% macro postgres_release_endings() %}
    exception
      when lock_not_available or deadlock_detected then
        outcome := 'busy';
        {{ dbtdeploy.postgres_release_holders() }}
        if said = '{}' then
          said := array[sqlerrm];
        end if;
      when sqlstate 'DD001' then
        outcome := 'changed';
        exit;
      when sqlstate 'DD002' then
        outcome := 'unfit';
        exit;
      when sqlstate 'DD003' then
        outcome := 'fenced';
        said := array[sqlerrm];
        exit;
      when sqlstate 'DD004' then
        outcome := 'done';
        exit;
      when sqlstate 'DD005' then
        raise;
      when others then
        outcome := 'failed';
        said := array[concat_ws(': ', at_work_on, sqlerrm)];
        exit;
    end;
    if tries < (job ->> 'tries')::int then
      perform pg_sleep(0.3 + 0.9 * random());
    end if;
{% endmacro %}
