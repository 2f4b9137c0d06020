"""The bugs, each with the tests that must notice it.

``text`` stands exactly once in ``file``. The tests are named one by one: a bug that only some distant test notices
counts as unnoticed.
"""

from dataclasses import dataclass
from typing import Final

BOT: Final = "tests/integration/bot"
CORE: Final = "tests/integration/core"
WORKER: Final = "tests/integration/worker"
ROLES: Final = "tests/unit/roles"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug: what is wrong, where, and who must notice."""

    name: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]


MUTANTS: Final = (
    # -- the bot -----------------------------------------------------------------------------------------------------
    Mutant(
        "pictures sent are recorded once at the end",
        "app/bot/delivery/delivery.py",
        "            await self.ledger.pictures_sent(request.id, file_ids)\n",
        "        await self.ledger.pictures_sent(request.id, file_ids)\n",
        (f"{BOT}/test_delivered_once.py::test_killed_within_an_album_it_goes_on_and_each_picture_is_seen_once",),
    ),
    Mutant(
        "the names of sent pictures are not recorded",
        "app/bot/delivery/lua/pictures_sent.lua",
        "redis.call('HSET', ledger_entry, 'file_ids', file_ids)\n",
        "",
        (
            f"{BOT}/test_delivered_once.py::test_killed_within_an_album_it_goes_on_and_each_picture_is_seen_once",
            f"{BOT}/test_ledger.py::test_what_was_sent_is_known_to_whoever_goes_on",
        ),
    ),
    Mutant(
        "the messages of an album are not recorded",
        "app/bot/delivery/lua/place_album.lua",
        "redis.call('HSET', ledger_entry, 'album', album)\n",
        "",
        (f"{BOT}/test_delivery.py::test_who_takes_over_goes_on_in_the_same_album",),
    ),
    Mutant(
        "entries of a stream are taken over after a stall of Redis",
        "app/bot/lua/take_over.lua",
        "if math.abs(now() - answered) > within then return {} end\n",
        "",
        (f"{CORE}/test_takeover.py",),
    ),
    Mutant(
        "an instance goes on polling Telegram through a stall of Redis",
        "app/bot/updates/standby.py",
        "                if time.monotonic() < ours_until:\n",
        "                if ours_until:\n",
        (f"{BOT}/test_standby.py",),
    ),
    Mutant(
        "the rate limit's window is halved",
        "app/core/rate_limit.py",
        "RateLimitItemPerSecond(requests, window)",
        "RateLimitItemPerSecond(requests, window // 2)",
        (f"{CORE}/test_rate_limit.py",),
    ),
    Mutant(
        "another window of the rate limit",
        "app/core/rate_limit.py",
        "RATE_LIMIT_WINDOW = 60\n",
        "RATE_LIMIT_WINDOW = 30\n",
        (f"{CORE}/test_rate_limit.py",),
    ),
    Mutant(
        "another number of requests within the rate limit",
        "app/core/rate_limit.py",
        "RATE_LIMIT_MAX_REQUESTS = 10\n",
        "RATE_LIMIT_MAX_REQUESTS = 20\n",
        (f"{CORE}/test_rate_limit.py",),
    ),
    # -- the worker --------------------------------------------------------------------------------------------------
    Mutant(
        "a job that timed out is not cancelled at fal",
        "app/worker/image_worker.py",
        "        if record and failure.reason not in _REFUSALS:\n            await self._drop(record)\n",
        "",
        (f"{WORKER}/test_provider_trouble.py::test_a_deadline_ends_what_fal_never_ends_and_is_cancelled_there",),
    ),
    Mutant(
        "a job that RQ gave up is not cancelled at fal",
        "app/worker/image_worker.py",
        "            await self._drop(record)\n            if await self.store.fail(job_id",
        "            if await self.store.fail(job_id",
        (f"{WORKER}/test_blame.py::test_a_picture_that_two_workers_died_of_is_given_up",),
    ),
    Mutant(
        "a late answer to a submit is not waited for",
        "app/worker/submits.py",
        "waited = Deadline(SUBMIT_ANSWER_WAIT)",
        "waited = Deadline(0)",
        (f"{WORKER}/test_submits.py::test_a_late_answer_of_another_process_is_waited_for",),
    ),
    Mutant(
        "a poller asks fal without a look at the request's record",
        "app/worker/collecting.py",
        "            record = await self.store.load(request_id)\n"
        "            if record is None or record.state.is_terminal:\n"
        "                raise RequestEndedError(request_id)\n",
        "",
        (f"{WORKER}/test_provider_trouble.py::test_a_cancel_whose_command_nobody_heard_frees_the_slot_all_the_same",),
    ),
    Mutant(
        "a poller goes on through a stall of Redis",
        "app/worker/retry_policy.py",
        "            if capped:\n                await self.throttle()\n            try:\n"
        "                return await call()\n            except TransientError as error:\n                doubtful",
        "            try:\n                return await call()\n            except TransientError as error:\n"
        "                doubtful",
        ("tests/unit/worker/test_retry_policy.py",),
    ),
    Mutant(
        "submits go over HTTP/2",
        "app/worker/fal_queue.py",
        "self._submits = fal_http.client(transport",
        "self._submits = fal_http.client(http2=True, transport",
        ("tests/unit/worker/test_fal_queue.py::test_a_submit_has_a_connection_of_its_own_without_http2",),
    ),
    Mutant(
        "entries of a stream are taken over after a step of Redis' clock",
        "app/bot/takeover.py",
        "            self._steady_at = at + idle\n",
        "            pass\n",
        (f"{CORE}/test_takeover.py",),
    ),
    Mutant(
        "fal-client may fall back to another way of uploading",
        "app/worker/fal_uploads.py",
        ", fallback_repository=[]",
        "",
        (f"{WORKER}/test_uploads.py::test_the_key_goes_to_no_host_but_fal_s_however_an_upload_fails",),
    ),
    Mutant(
        "reaping begins at once after an outage",
        "app/worker/lease_watch.py",
        "        self._seen.clear()\n",
        "        pass\n",
        (f"{WORKER}/test_leases.py::test_after_a_stall_or_an_outage_of_redis_the_watch_begins_anew",),
    ),
    Mutant(
        "reaping begins at once after a stall",
        "app/worker/lease_watch.py",
        "        if at - self._looked_at > self._lease / 2:\n            self.begin_anew()\n",
        "",
        (f"{WORKER}/test_leases.py::test_after_a_stall_or_an_outage_of_redis_the_watch_begins_anew",),
    ),
    Mutant(
        "a look that Redis did not answer leaves the watch as it was",
        "app/worker/leases.py",
        "        except BaseException:\n            self._watch.begin_anew()\n            raise\n",
        "        except BaseException:\n            raise\n",
        (f"{WORKER}/test_leases.py::test_after_a_stall_or_an_outage_of_redis_the_watch_begins_anew",),
    ),
    Mutant(
        "a lease that is renewed counts as standing still",
        "app/worker/lease_watch.py",
        "since if before == score else at",
        "since",
        (
            f"{WORKER}/test_leases.py::test_a_step_of_redis_clock_gives_no_living_workers_job_away_and_keeps_no_dead_ones",
        ),
    ),
    # -- scripts in Redis --------------------------------------------------------------------------------------------
    Mutant(
        "records of failed and cancelled requests are kept for ever",
        "app/core/lua/advance.lua",
        "  redis.call('EXPIRE', record_of(ended), keep.untold)\n",
        "",
        (f"{CORE}/test_admission.py::test_a_record_without_a_result_is_kept_for_a_week_or_a_day_after_it_was_told",),
    ),
    Mutant(
        "scripts are refused while Redis' memory is full",
        "app/core/lua/advance.lua",
        "#!lua flags=allow-oom\n",
        "",
        (f"{CORE}/test_lua_scripts.py::test_only_what_lets_new_work_in_is_refused_while_memory_is_full",),
    ),
    Mutant(
        "the money of a request is kept although fal never drew",
        "app/core/lua/advance.lua",
        "then spend(user, day, -cost) end",
        "then spend(user, day, 0) end",
        (f"{CORE}/test_admission.py::test_money_comes_back_from_what_fal_never_drew",),
    ),
    Mutant(
        "the money comes back although fal may have drawn",
        "app/core/lua/advance.lua",
        "fal and fal ~= '' or (submits or '0') ~= '0'",
        "fal and fal ~= ''",
        (
            f"{CORE}/test_admission.py::test_money_stays_spent_when_a_submit_of_unknown_fate_is_to_be_repeated"
            "_and_the_request_ends_first",
        ),
    ),
    Mutant(
        "who lost its lease may still change the record",
        "app/core/lua/advance.lua",
        "return not superseded and redis.call('ZSCORE', leases, execution)",
        "return not superseded",
        (f"{WORKER}/test_request_store.py::test_any_order_of_events_ends_in_one_state_that_is_told_of_once",),
    ),
    Mutant(
        "who was overtaken by a later claim may still change the record",
        "app/core/lua/advance.lua",
        "return not superseded and redis.call('ZSCORE', leases, execution)",
        "return redis.call('ZSCORE', leases, execution)",
        (f"{WORKER}/test_leases.py::test_of_two_leases_of_one_job_only_the_last_claims_lets_its_request_be_changed",),
    ),
    Mutant(
        "a request that ends stays among the open ones",
        "app/core/lua/advance.lua",
        "  redis.call('ZREM', open_requests, ended)\n",
        "",
        (f"{CORE}/test_admission.py::test_all_open_requests_stand_in_one_set_until_they_end",),
    ),
    Mutant(
        "the start is told of again when a request is submitted again",
        "app/core/lua/advance.lua",
        "if event ~= '' and not told_before then",
        "if event ~= '' then",
        (
            f"{WORKER}/test_fal.py::"
            "test_a_model_that_fails_in_passing_is_asked_again_unbilled_and_started_is_told_once",
        ),
    ),
    Mutant(
        "a lease renewed between look and taking is taken",
        "app/worker/lua/put_back.lua",
        "if score and (wanted == '' or tonumber(score) == tonumber(wanted)) then",
        "if score then",
        (f"{WORKER}/test_leases.py::test_a_lease_renewed_just_before_it_would_be_taken_is_left_alone",),
    ),
    Mutant(
        "a job that only waited is blamed for its worker's death",
        "app/worker/lua/put_back.lua",
        "if crashes_field ~= '' and at_work == '1' then",
        "if crashes_field ~= '' then",
        (f"{WORKER}/test_leases.py::test_a_job_that_only_waits_is_not_to_blame",),
    ),
    Mutant(
        "jobs go back in the wrong order",
        "app/worker/lua/put_back.lua",
        "return a.at > b.at",
        "return a.at < b.at",
        (f"{WORKER}/test_leases.py::test_what_is_put_back_goes_to_the_head_in_the_old_order_and_nobody_is_blamed",),
    ),
    Mutant(
        "the sweeper heals what is in a lease",
        "app/worker/lua/sweep.lua",
        "    in_hand[string.match(composite, '^(.+):[^:]+$') or composite] = true\n",
        "",
        (f"{WORKER}/test_sweeper.py::test_what_is_in_a_lease_or_a_schedule_is_nobody_s_to_heal",),
    ),
    Mutant(
        "the sweeper heals what is in a schedule",
        "app/worker/lua/sweep.lua",
        "  for _, id in ipairs(redis.call('ZRANGE', schedule, 0, -1)) do in_hand[id] = true end\n",
        "",
        (f"{WORKER}/test_sweeper.py::test_what_is_in_a_lease_or_a_schedule_is_nobody_s_to_heal",),
    ),
    Mutant(
        "the sweeper heals at first sight",
        "app/worker/lua/sweep.lua",
        "      if at - redis.call('ZSCORE', suspects, id) >= suspicion then",
        "      if true then",
        (f"{WORKER}/test_sweeper.py::test_what_is_not_in_its_queue_yet_is_not_healed_at_first_sight",),
    ),
    Mutant(
        "the sweeper heals for ever",
        "app/worker/lua/sweep.lua",
        "> heals_max then",
        "> 1000 then",
        (f"{WORKER}/test_sweeper.py::test_what_is_not_healed_by_that_is_ended_with_a_sentence",),
    ),
    # -- what the roles render ---------------------------------------------------------------------------------------
    Mutant(
        "the worker's Redis user may do everything",
        "roles/redis/templates/users.acl.j2",
        "user worker on {{ secret('worker') }} ~rq:* ~imagebot:* {{ app }}",
        "user worker on {{ secret('worker') }} ~* &* +@all",
        (f"{ROLES}/test_redis_users.py::test_every_user_may_do_exactly_this_and_needs_a_password",),
    ),
    Mutant(
        "Redis' default user may do nothing",
        "roles/redis/templates/users.acl.j2",
        "user default on {{ secret('operator') }} ~* &* +@all",
        "user default off",
        (f"{ROLES}/test_redis_users.py::test_every_user_may_do_exactly_this_and_needs_a_password",),
    ),
    Mutant(
        "a worker's unit may write everywhere",
        "roles/worker/templates/imageworker@.service.j2",
        "ProtectSystem=strict\n",
        "",
        (f"{ROLES}/test_sandboxes.py::test_a_unit_has_exactly_these",),
    ),
    Mutant(
        "the bot's unit may write everywhere",
        "roles/bot/templates/imagebot@.service.j2",
        "ProtectSystem=strict\n",
        "",
        (f"{ROLES}/test_sandboxes.py::test_a_unit_has_exactly_these",),
    ),
    Mutant(
        "the bot reaches every address",
        "roles/bot/templates/imagebot@.service.j2",
        "IPAddressDeny={{ bot_egress_deny | join(' ') }}\n",
        "",
        (f"{ROLES}/test_egress.py::test_the_bot_reaches_telegram_and_nobody_else",),
    ),
    Mutant(
        "workers reach the metadata of clouds",
        "roles/worker/defaults/main.yml",
        "  - 169.254.0.0/16\n",
        "",
        (f"{ROLES}/test_egress.py::test_metadata_of_clouds_and_neighbours_are_out_of_reach",),
    ),
    Mutant(
        "the resolvers are not let through",
        "roles/bot/vars/main.yml",
        "      + (ansible_facts['dns'].nameservers | default([]) | map('regex_replace', '%.*', '') | list)\n",
        "",
        (f"{ROLES}/test_egress.py::test_redis_and_the_resolvers_are_reached",),
    ),
    Mutant(
        "what a worker wrote can be run",
        "roles/worker/templates/imageworker@.service.j2",
        "NoExecPaths={{ _worker_media_path }}\n",
        "",
        (f"{ROLES}/test_sandboxes.py::test_a_unit_has_exactly_these",),
    ),
)
