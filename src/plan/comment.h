/*
 * comment.h
 *		Korean and English comments on foreign tables and their columns, which
 *		IMPORT FOREIGN SCHEMA itself can't make.
 */
#ifndef KIS_PLAN_COMMENT_H
#define KIS_PLAN_COMMENT_H

#include "postgres.h"

#include "kis/catalog.h"

/* Korean and English, with the unit where it has one; palloc'd, UTF-8. */
extern const char *kis_member_comment(const KisMember *member);

#endif							/* KIS_PLAN_COMMENT_H */
