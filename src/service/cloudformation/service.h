/* service - CloudFormation as a row of the daemon's table of services. */
#pragma once
#include "service/call.h"

extern const struct service cloudformation_service;
