/* sts - AWS Security Token Service. */
#pragma once
#include "service/call.h"

extern const struct service sts_service;
