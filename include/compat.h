/*
 * compat.h
 *		Every difference between the versions of PostgreSQL that we support,
 *		15 to 19, in one place.
 */
#ifndef KIS_COMPAT_H
#define KIS_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "market_investor_fdw needs PostgreSQL 15 or later"
#endif

/* postgres.h brings it no more since 19 */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* EXPLAIN has had options of extensions since 18; since 19 they may be checked before they are used. */
#define KIS_HAS_EXPLAIN_OPTIONS	(PG_VERSION_NUM >= 180000)
#if KIS_HAS_EXPLAIN_OPTIONS
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#if PG_VERSION_NUM >= 190000
#define kis_register_explain_option(name, handler) \
	RegisterExtensionExplainOption(name, handler, GUCCheckBooleanExplainOption)
#else
#define kis_register_explain_option(name, handler) RegisterExtensionExplainOption(name, handler)
#endif

#include "access/stratnum.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/pathnode.h"
#include "utils/wait_event.h"

/* A library has been able to name itself since 18. */
#if PG_VERSION_NUM >= 180000
#define KIS_MODULE_MAGIC(library, number)	PG_MODULE_MAGIC_EXT(.name = library,.version = number)
#else
#define KIS_MODULE_MAGIC(library, number)	PG_MODULE_MAGIC
#endif

/* What 18 has in the place of pg_attribute_noreturn(), before a declaration. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* create_foreignscan_path took fdw_restrictinfo in 17 and disabled_nodes in 18 */
#if PG_VERSION_NUM >= 180000
#define kis_create_foreignscan_path(root, rel, rows, startup, total, pathkeys, outer, private) \
	create_foreignscan_path(root, rel, NULL, rows, 0, startup, total, pathkeys, outer, NULL, NIL, private)
#elif PG_VERSION_NUM >= 170000
#define kis_create_foreignscan_path(root, rel, rows, startup, total, pathkeys, outer, private) \
	create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys, outer, NULL, NIL, private)
#else
#define kis_create_foreignscan_path(root, rel, rows, startup, total, pathkeys, outer, private) \
	create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys, outer, NULL, private)
#endif

/* A path key says its direction by a comparison since 18, by a strategy before. */
#if PG_VERSION_NUM >= 180000
#define kis_pathkey_descends(pathkey)	((pathkey)->pk_cmptype == COMPARE_GT)
#else
#define kis_pathkey_descends(pathkey)	((pathkey)->pk_strategy == BTGreaterStrategyNumber)
#endif

/* Virtual generated columns came in 18: PostgreSQL itself puts their expressions in their place. */
#if PG_VERSION_NUM >= 180000
#define kis_is_virtual_column(attribute)	((attribute)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define kis_is_virtual_column(attribute)	(false)
#endif

/* object_aclcheck replaced the functions of each catalog in 16 */
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_namespace.h"
#define kis_server_aclcheck(serverid, userid, mode) \
	object_aclcheck(ForeignServerRelationId, serverid, userid, mode)
#define kis_namespace_aclcheck(namespace, userid, mode) \
	object_aclcheck(NamespaceRelationId, namespace, userid, mode)
#define kis_owns_relation(relid, userid) \
	object_ownercheck(RelationRelationId, relid, userid)
#else
#define kis_server_aclcheck(serverid, userid, mode) \
	pg_foreign_server_aclcheck(serverid, userid, mode)
#define kis_namespace_aclcheck(namespace, userid, mode) \
	pg_namespace_aclcheck(namespace, userid, mode)
#define kis_owns_relation(relid, userid) \
	pg_class_ownercheck(relid, userid)
#endif

/* May the member give what is his to the role? Membership has had options since 16. */
#if PG_VERSION_NUM >= 160000
#define kis_may_give_to(member, role)	member_can_set_role(member, role)
#else
#define kis_may_give_to(member, role)	is_member_of_role(member, role)
#endif

/* Processes are numbered by ProcNumber since 17. */
#if PG_VERSION_NUM >= 170000
#define kis_my_procno()		MyProcNumber
#define kis_proc(procno)	GetPGProcByNumber(procno)
#else
#define kis_my_procno()		(MyProc->pgprocno)
#define kis_proc(procno)	(&ProcGlobal->allProcs[procno])
#endif

/* Tranches have their name with them since 19. */
#if PG_VERSION_NUM >= 190000
#define kis_new_tranche_id(name)			LWLockNewTrancheId(name)
#define kis_register_tranche(id, name)		((void) (id))
#else
#define kis_new_tranche_id(name)			LWLockNewTrancheId()
#define kis_register_tranche(id, name)		LWLockRegisterTranche(id, name)
#endif

/* The registry of dynamic shared memory: since 17; 19 hands an argument through. */
#define KIS_HAS_DSM_REGISTRY	(PG_VERSION_NUM >= 170000)
#if KIS_HAS_DSM_REGISTRY
#include "storage/dsm_registry.h"
#endif
#if PG_VERSION_NUM >= 190000
#define KIS_INIT_ARGUMENTS	void *block, void *arg
#define kis_named_segment(name, size, init, found) GetNamedDSMSegment(name, size, init, found, NULL)
#else
#define KIS_INIT_ARGUMENTS	void *block
#define kis_named_segment(name, size, init, found) GetNamedDSMSegment(name, size, init, found)
#endif

/* A set of events to wait for that lives as long as the session; it has had an owner since 17. */
#if PG_VERSION_NUM >= 170000
#define kis_create_wait_set(nevents)	CreateWaitEventSet(NULL, nevents)
#else
#define kis_create_wait_set(nevents)	CreateWaitEventSet(TopMemoryContext, nevents)
#endif

/* Extensions may name their wait events since 17. */
#if PG_VERSION_NUM >= 170000
#define kis_new_wait_event(name)	WaitEventExtensionNew(name)
#else
#define kis_new_wait_event(name)	PG_WAIT_EXTENSION
#endif

/* Whose rights and user mapping a scan uses: checkAsUser moved to the plan node in 16 */
#if PG_VERSION_NUM >= 160000
#define kis_scan_userid(plan, estate) \
	(OidIsValid((plan)->checkAsUser) ? (plan)->checkAsUser : GetUserId())
#else
static inline Oid
kis_scan_userid(ForeignScan *plan, EState *estate)
{
	Oid			user = exec_rt_fetch(plan->scan.scanrelid, estate)->checkAsUser;

	return OidIsValid(user) ? user : GetUserId();
}
#endif

#endif							/* KIS_COMPAT_H */
