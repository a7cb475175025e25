{#
  What a relation bears that a new one does not have by itself: it goes with a relation that dbt replaces, unless
  the build or the swap makes it again.
#}

{#
  A JSON list of words such as `trigger audit`. Indexes and constraints go by what they are and not by their names, for
  dbt gives them new ones. Rights are no part: a release carries them over.
#}
{% macro postgres_parts_of(relation) %}
(select coalesce(jsonb_agg(distinct p.part order by p.part), '[]') from (
    select 'row level security' as part from pg_class c where c.oid = {{ relation }} and c.relrowsecurity
    union all
    select 'partitions' from pg_class c where c.oid = {{ relation }} and c.relkind = 'p'
    union all
    select 'replica identity' from pg_class c where c.oid = {{ relation }} and c.relkind in ('r', 'p') and c.relreplident <> 'd'
    union all
    select 'option ' || o from pg_class c cross join unnest(c.reloptions) o where c.oid = {{ relation }}
    union all
    select format('policy %I', q.polname) from pg_policy q where q.polrelid = {{ relation }}
    union all
    select format('trigger %I', g.tgname) from pg_trigger g where g.tgrelid = {{ relation }} and not g.tgisinternal
    union all
    select format('rule %I', w.rulename) from pg_rewrite w where w.ev_class = {{ relation }} and w.rulename <> '_RETURN'
    union all
    select format('publication %I', b.pubname) from pg_publication_rel m join pg_publication b on b.oid = m.prpubid where m.prrelid = {{ relation }}
    union all
    select format('statistics %I', x.stxname) from pg_statistic_ext x where x.stxrelid = {{ relation }}
    union all
    select case k.contype when 'p' then 'primary key' when 'u' then 'unique constraint' when 'f' then 'foreign key' when 'x' then 'exclusion constraint'
        else 'check constraint' end || coalesce(' (' || (select string_agg(quote_ident(a.attname), ', ' order by a.attname)
          from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any (k.conkey)) || ')', '')
    from pg_constraint k where k.conrelid = {{ relation }} and k.conparentid = 0 and k.contype in ('p', 'u', 'f', 'x', 'c')
    union all
    select case when x.indisunique then 'unique index (' else 'index (' end
        || (select string_agg(pg_get_indexdef(x.indexrelid, n, true), ', ' order by n) from generate_series(1, x.indnkeyatts) n) || ')'
    from pg_index x where x.indrelid = {{ relation }} and not exists (select from pg_constraint k where k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x'))
    union all
    select format('default of column %I', a.attname) from pg_attribute a where a.attrelid = {{ relation }} and a.attnum > 0 and not a.attisdropped
      and (a.atthasdef or a.attidentity <> '')
    union all
    select case when d.objsubid = 0 then 'comment' else format('comment on column %I', a.attname) end from pg_description d
    left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0
    where d.classoid = 'pg_class'::regclass and d.objoid = {{ relation }}
  ) p)
{% endmacro %}


{#
  Of those of `old` the ones that `new` lacks once it is live. A table takes over row level security and policies.
  What is written into a copy of (dbt_deploy.baselines) is changed in place, and loses nothing.
#}
{% macro postgres_measure_losses() %}
      if old_relation is not null then
        one := one || jsonb_build_object('losses', (select coalesce(jsonb_agg(o.part), '[]')
          from jsonb_array_elements_text({{ dbtdeploy.postgres_parts_of('old_relation') }}) o(part)
          where not {{ dbtdeploy.postgres_parts_of('new_relation') }} ? o.part
            and not (o.part ~ '^(row level security$|policy )' and (select c.relkind in ('r', 'p') from pg_class c where c.oid = new_relation))
            {# A comment on a column that is gone, and the like, is told with the column. #}
            and not exists (select from pg_attribute a where a.attrelid = old_relation and a.attnum > 0 and not a.attisdropped
              and o.part in (format('comment on column %I', a.attname), format('default of column %I', a.attname))
              and not exists (select from pg_attribute b where b.attrelid = new_relation and b.attname = a.attname and not b.attisdropped))));
        if to_regclass('dbt_deploy.baselines') is not null then
          if exists (select from dbt_deploy.baselines b where b.copy = new_relation::oid::bigint) then
            one := one - 'losses';
          end if;
        end if;
      end if;
{% endmacro %}
