//! Plans and records: what is planned once stays planned once, and each attempt is on the record.

use bytes::Bytes;
use throwbar::model::{
    AttemptId, AttemptResult, DeliveryId, DeliveryState, EndpointId, Failure, Refusal,
};
use throwbar::store::{
    Batch, ClaimRequest, DeliveryFilter, NewAttempt, NewBody, NewRecord, SetAside, Tells,
};

use super::{claim, delivery, planned, somebody, state, waiting, write};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both};

#[tokio::test]
async fn a_plan_takes_the_inbox_row_away_and_planning_again_changes_nothing() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let endpoint = making::stored_endpoint(store, own).await;
        let event = making::event(own, "{\"a\":1}");
        let (now, holder) = (now(), somebody());
        let (at_once, later) = (
            making::delivery(event.id, endpoint, None),
            making::delivery(event.id, endpoint, Some(now)),
        );
        let mut plan = making::plan(own, event.id, vec![at_once.clone(), later.clone()]);
        plan.verdicts = Bytes::from_static(b"[{\"verdict\":\"fired\"}]");
        let accepts = batch::accepts(vec![event.clone()]);
        ok(store.write(holder, &accepts)).await;
        let plans = batch::plans(vec![plan.clone()]);
        ok(store.write(holder, &plans)).await;

        assert_eq!(ok(store.inbox_state(own, event.id)).await, None);
        assert_eq!(
            ok(store.verdicts(own, event.id)).await.as_deref(),
            Some(&plan.verdicts[..])
        );
        let claimed = delivery(store, own, at_once.id).await;
        assert_eq!(
            (claimed.state.as_str(), claimed.holder, claimed.due_at),
            ("claimed", Some(holder), None)
        );
        let pending = delivery(store, own, later.id).await;
        assert_eq!(
            (pending.state.as_str(), pending.holder, pending.due_at),
            ("pending", None, Some(now))
        );
        assert_eq!(
            (pending.event, pending.endpoint, pending.attempts_made),
            (event.id, endpoint, 0)
        );
        assert_eq!(
            (pending.webhook_id, pending.resend_of),
            (event.id.to_string(), None)
        );

        let mut again = plan.clone();
        again.verdicts = Bytes::from_static(b"[]");
        again.deliveries[0].due_at = Some(now.plus_ms(9));
        write(store, &batch::plans(vec![again])).await;
        assert_eq!(
            ok(store.verdicts(own, event.id)).await.as_deref(),
            Some(&plan.verdicts[..])
        );
        assert_eq!(state(store, own, at_once.id).await, "claimed");
        let all = ok(store.deliveries(own, &DeliveryFilter::default(), None, 10)).await;
        assert_eq!(all.rows.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_body_is_the_payload_or_what_a_plugin_made_of_it() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let endpoint = making::stored_endpoint(store, own).await;
        let event = making::event(own, "{\"payload\":\"\\u0000\"}");
        let raw = making::delivery(event.id, endpoint, Some(now()));
        let mut made = making::delivery(event.id, endpoint, Some(now()));
        made.output_no = Some(3);
        let mut plan = making::plan(own, event.id, vec![raw.clone(), made.clone()]);
        plan.bodies = vec![NewBody {
            automation: made.automation,
            output_no: 3,
            event_type: "deal.masked".to_owned(),
            headers: Some("[[\"x-a\",\"b\"]]".to_owned()),
            content: Bytes::from_static(&[0, 255, 0]),
        }];
        let batch = Batch {
            accepts: batch::shared(vec![event.clone()]),
            plans: batch::shared(vec![plan]),
            ..Batch::default()
        };
        write(store, &batch).await;
        let request = ClaimRequest {
            account: own,
            endpoint,
            now: now(),
            limit: 10,
            first: 0,
        };
        let mut claimed = claim(store, somebody(), request).await.deliveries;
        claimed.sort_by_key(|delivery| delivery.output_no);
        let mut lost = claimed[1].clone();
        lost.output_no = Some(4);
        let bodies = ok(store.bodies(own, &[claimed[0].clone(), claimed[1].clone(), lost])).await;
        let payload = bodies[0].as_ref().expect("it is there");
        assert_eq!(
            (payload.event_type.as_str(), &payload.content),
            ("deal.updated", &event.payload)
        );
        assert_eq!(
            (payload.occurred_at, &payload.headers),
            (event.occurred_at, &Ok(Vec::new()))
        );
        let output = bodies[1].as_ref().expect("it is there");
        assert_eq!(
            (output.event_type.as_str(), &output.content[..]),
            ("deal.masked", &[0, 255, 0][..])
        );
        assert_eq!(
            (output.occurred_at, &output.headers),
            (
                event.occurred_at,
                &Ok(vec![("x-a".to_owned(), "b".to_owned())])
            )
        );
        assert!(bodies[2].is_none());
    })
    .await;
}

/// An attempt that got 500, and what follows.
pub(super) fn record(
    to: (throwbar::model::AccountId, EndpointId),
    delivery: DeliveryId,
    next: DeliveryState,
) -> NewRecord {
    NewRecord {
        account: to.0,
        delivery,
        endpoint: to.1,
        attempt: Some(NewAttempt {
            id: AttemptId::mint(now()),
            no: 1,
            result: AttemptResult::Http { status: 500 },
            message: Some("Größer als erlaubt".to_owned()),
            response: Some(Bytes::from_static(&[0, 255])),
            trace: None,
            started_at: now(),
            duration_ms: 12,
        }),
        attempts_made: 1,
        next,
        mark: None,
        tells: Tells::OfEndpoint,
        order: None,
    }
}

#[tokio::test]
async fn a_record_brings_the_attempt_and_the_next_state() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let at = now();
        let failed = |why: Failure| {
            let state = DeliveryState::Failed { at, why };
            (state, "failed", None, Some(why.as_str()), Some(at))
        };
        for (next, word, due_at, failure, settled_at) in [
            (
                DeliveryState::Delivered { at },
                "delivered",
                None,
                None,
                Some(at),
            ),
            (
                DeliveryState::Pending { due_at: at },
                "pending",
                Some(at),
                None,
                None,
            ),
            failed(Failure::Exhausted),
            failed(Failure::Rejected),
            failed(Failure::Gone),
            failed(Failure::Expired),
            (DeliveryState::Held, "held", None, None, None),
            (DeliveryState::Cancelled, "cancelled", None, None, None),
        ] {
            let id = planned(store, somebody(), to, None).await;
            write(store, &batch::records(vec![record(to, id, next)])).await;
            let found = delivery(store, own, id).await;
            assert_eq!(
                (found.state.as_str(), found.due_at, found.holder),
                (word, due_at, None)
            );
            assert_eq!(
                (found.failure.as_deref(), found.settled_at),
                (failure, settled_at),
                "{word}"
            );
            assert_eq!(found.attempts_made, 1);
            assert_eq!(ok(store.attempts(own, id)).await.len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn only_what_is_claimed_goes_on_to_another_state() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let id = waiting(store, own, to.1, now()).await;
        let late = record(to, id, DeliveryState::Delivered { at: now() });
        write(store, &batch::records(vec![late])).await;
        let found = delivery(store, own, id).await;
        assert_eq!((found.state.as_str(), found.attempts_made), ("pending", 0));
    })
    .await;
}

#[tokio::test]
async fn each_kind_of_attempt_is_told_apart() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let to = (own, making::stored_endpoint(store, own).await);
        let mut results = vec![
            AttemptResult::Http { status: 204 },
            AttemptResult::Interrupted,
        ];
        results.extend(
            Refusal::ALL
                .iter()
                .map(|refusal| AttemptResult::Refused(*refusal)),
        );
        let id = planned(store, somebody(), to, None).await;
        let mut records = Vec::new();
        for (place, result) in results.iter().enumerate() {
            let mut one = record(to, id, DeliveryState::Pending { due_at: now() });
            let attempt = one.attempt.as_mut().expect("made");
            attempt.result = *result;
            attempt.no = place as u16 + 1;
            records.push(one);
        }
        let untouched = NewRecord {
            attempt: None,
            ..record(to, id, DeliveryState::Held)
        };
        let without = planned(store, somebody(), to, None).await;
        records.push(NewRecord {
            delivery: without,
            ..untouched
        });
        write(store, &batch::records(records)).await;
        let attempts = ok(store.attempts(own, id)).await;
        for (attempt, result) in attempts.iter().zip(&results) {
            let (status, class) = match result {
                AttemptResult::Http { status } => (Some(i64::from(*status)), None),
                other => (None, Some(other.class())),
            };
            assert_eq!(
                (attempt.status_code, attempt.error_class.as_deref()),
                (status, class)
            );
            assert_eq!(
                (attempt.message.as_deref(), attempt.duration_ms),
                (Some("Größer als erlaubt"), 12)
            );
            assert_eq!(attempt.response.as_deref(), Some(&[0, 255][..]));
        }
        assert_eq!(
            attempts
                .iter()
                .map(|attempt| attempt.no)
                .collect::<Vec<_>>(),
            (1..=results.len() as i64).collect::<Vec<_>>()
        );
        assert!(ok(store.attempts(other, id)).await.is_empty());
        assert!(
            ok(store.attempts(own, without)).await.is_empty(),
            "no request was made"
        );
        assert_eq!(state(store, own, without).await, "held");
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_set_aside_blocks_nothing_and_is_not_lost() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let event = making::event(own, "1");
        super::accept(store, &event).await;
        let aside = SetAside {
            account: own,
            event: event.id,
            why: "its plan can't be stored".to_owned(),
        };
        write(store, &batch::aside(vec![aside])).await;
        let why = ok(store.inbox_state(own, event.id)).await;
        assert_eq!(why, Some(Some("its plan can't be stored".to_owned())));
        assert_eq!(ok(store.inbox_len()).await, 0);
        assert!(ok(store.event(own, event.id)).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_resend_is_a_new_delivery_of_the_same_body_under_the_same_webhook_id() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let endpoint = making::stored_endpoint(store, own).await;
        let first = waiting(store, own, endpoint, now()).await;
        let (second, third) = (new_delivery_id(endpoint), new_delivery_id(endpoint));
        assert!(!ok(store.resend(other, first, second, now())).await);
        assert!(ok(store.resend(own, first, second, now())).await);
        assert!(ok(store.resend(own, second, third, now())).await);
        let original = delivery(store, own, first).await;
        for again in [second, third] {
            let again = delivery(store, own, again).await;
            assert_eq!(
                (again.event, again.webhook_id),
                (original.event, original.webhook_id.clone())
            );
            assert_eq!(
                (again.resend_of, again.state.as_str()),
                (Some(first), "pending")
            );
        }
        let filter = |state: Option<&str>| DeliveryFilter {
            event: Some(original.event),
            endpoint: Some(endpoint),
            state: state.map(str::to_owned),
            ..DeliveryFilter::default()
        };
        let found = ok(store.deliveries(own, &filter(Some("pending")), None, 2)).await;
        assert_eq!((found.rows.len(), found.next.is_some()), (2, true));
        let rest = ok(store.deliveries(own, &filter(Some("pending")), found.next, 2)).await;
        assert_eq!((rest.rows.len(), rest.next), (1, None));
        assert!(
            ok(store.deliveries(own, &filter(Some("held")), None, 2))
                .await
                .rows
                .is_empty()
        );
        assert!(
            ok(store.deliveries(other, &filter(None), None, 2))
                .await
                .rows
                .is_empty()
        );
        assert!(ok(store.delivery(other, first)).await.is_none());
    })
    .await;
}

fn new_delivery_id(endpoint: EndpointId) -> DeliveryId {
    making::delivery(throwbar::model::EventId::mint(now()), endpoint, None).id
}
