//! Every case on every reactor, bare and under chaos; and what only a process of its own can show.

mod cases;
mod chaos;
#[cfg(target_os = "linux")]
mod fds;
mod foreign;
#[cfg(target_os = "linux")]
mod strace;
mod suite;

mount!(
    a_file_reports_what_it_was_asked_for,
    a_reported_direction_is_silent_until_rearmed_or_reports_the_next_edge,
    one_byte_at_a_time_loses_nothing,
    a_full_pipe_empties_through_partial_writes,
    attached_silently_then_rearmed,
    an_unpark_before_the_wait_ends_it,
    many_unparks_before_a_wait_are_one,
    a_look_keeps_the_token,
    no_unpark_of_a_wait_is_lost,
    a_wait_is_never_early_and_does_not_spin,
    far_timeouts_do_not_overflow,
    attach_while_another_thread_waits,
    rearm_while_another_thread_waits,
    detach_while_another_thread_waits_closes_the_file,
    a_reused_fd_or_slot_is_not_taken_for_its_predecessor,
    a_duplicate_does_not_outlive_the_registration,
    a_failed_attach_leaves_nothing_behind,
    an_unknown_token_is_not_found,
    half_close_is_no_hangup_and_no_spin,
    a_reset_connection_wakes_both_directions,
    a_hangup_is_told_once,
    one_turn_per_event,
    a_thousand_sources,
    threads_attach_and_detach_while_it_turns,
    a_handle_outlives_its_reactor,
);
