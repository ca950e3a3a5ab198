{{/* The flags of users as JSON: extraArgs, and those that are for the data plane only. */}}
{{- define "tidegate.flags.extra" -}}
{{- include "tidegate.flags.joined" (list .Values.controller.extraArgs .Values.controller.dataplane.extraArgs) -}}
{{- end -}}

{{/*
Flags of several maps as JSON; where two have one name, the last wins: also with 0 or false, unlike with merge. A null is
no flag. An empty text is a bare flag, which is on; beside a value that is not just on or off it says nothing.
*/}}
{{- define "tidegate.flags.joined" -}}
{{- $joined := dict -}}
{{- range . -}}
{{- range $flag, $value := . -}}
{{- $switch := has (get $joined $flag | toString) (list "true" "false") -}}
{{- $silent := and (eq "" (toString $value)) (hasKey $joined $flag) (not $switch) -}}
{{- if not (or (kindIs "invalid" $value) $silent) -}}
{{- $_ := set $joined $flag $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $joined -}}
{{- end -}}

{{/* A port of the Pod: (root, http, https or healthz); a flag of the user wins, so that both say the same. */}}
{{- define "tidegate.port" -}}
{{- $values := (first .).Values.controller -}}
{{- $name := last . -}}
{{- $port := ternary $values.metrics.port (get $values.containerPort $name) (eq $name "healthz") -}}
{{- $flag := printf "%s-port" $name -}}
{{- $given := get (include "tidegate.flags.extra" (first .) | fromJson) $flag -}}
{{- if eq "0" (toString $given) -}}
{{- fail (printf "extraArgs.%s=0 is not supported: it would be any port, which no Service and no probe knows." $flag) -}}
{{- end -}}
{{- include "tidegate.text" (default $port $given) -}}
{{- end -}}

{{/* The Service whose address Ingresses get: namespace/name, or nothing. */}}
{{- define "tidegate.publishService" -}}
{{- $service := .Values.controller.service -}}
{{- $publish := .Values.controller.publishService -}}
{{- if not $publish.enabled -}}
{{- else if $publish.pathOverride -}}
{{- $publish.pathOverride -}}
{{- else if and $service.enabled $service.external.enabled -}}
$(POD_NAMESPACE)/{{ include "tidegate.controller.fullname" . }}
{{- else if and $service.enabled $service.internal.enabled -}}
$(POD_NAMESPACE)/{{ include "tidegate.controller.part" (list . "internal") }}
{{- end -}}
{{- end -}}

{{/* Where the status of Ingresses comes from: flag (of the user), service, nodes or none. */}}
{{- define "tidegate.status" -}}
{{- $extra := include "tidegate.flags.extra" . | fromJson -}}
{{- if eq (toString (get $extra "update-status")) "false" -}}
none
{{- else if or (get $extra "publish-status-address") (get $extra "publish-service") -}}
flag
{{- else if include "tidegate.publishService" . -}}
service
{{- else -}}
nodes
{{- end -}}
{{- end -}}

{{/*
All flags as JSON, whichever container takes them: ours, then those of the user, which win. $(POD_NAMESPACE) is put in by
the kubelet.
*/}}
{{- define "tidegate.flags" -}}
{{- $controller := .Values.controller -}}
{{- $flags := dict
  "controller-class" $controller.ingressClassResource.controllerValue
  "ingress-class" (include "tidegate.ingressClass" .)
  "configmap" (printf "%s/%s" (default "$(POD_NAMESPACE)" $controller.configMapNamespace) (include "tidegate.controller.fullname" .))
  "http-port" $controller.containerPort.http
  "https-port" $controller.containerPort.https
  "healthz-port" $controller.metrics.port
  "election-id" (default (printf "%s-leader" (include "tidegate.fullname" .)) $controller.electionID)
  "shutdown-grace-period" 15
-}}
{{- $optional := dict
  "election-ttl" $controller.electionTTL
  "disable-leader-election" $controller.disableLeaderElection
  "healthz-host" $controller.healthCheckHost
  "health-check-path" (ternary "" $controller.healthCheckPath (eq "/healthz" (toString $controller.healthCheckPath)))
  "publish-service" (ternary (include "tidegate.publishService" .) "" (eq "service" (include "tidegate.status" .)))
  "report-node-internal-ip-address" $controller.reportNodeInternalIp
  "ingress-class-by-name" (or $controller.ingressClassByName $controller.scope.enabled)
  "watch-ingress-without-class" $controller.watchIngressWithoutClass
  "watch-namespace" (ternary (default "$(POD_NAMESPACE)" $controller.scope.namespace) "" $controller.scope.enabled)
  "watch-namespace-selector" (ternary "" $controller.scope.namespaceSelector $controller.scope.enabled)
  "default-backend-service" (ternary (printf "$(POD_NAMESPACE)/%s" (include "tidegate.defaultBackend.fullname" .)) "" (eq "true" (include "tidegate.defaultBackend.runs" .)))
-}}
{{- range $transport := list "tcp" "udp" -}}
{{- $namespace := default "$(POD_NAMESPACE)" (get $controller $transport).configMapNamespace -}}
{{- $name := printf "%s/%s" $namespace (include "tidegate.services.name" (list $ $transport)) -}}
{{- $_ := set $optional (printf "%s-services-configmap" $transport) (ternary $name "" (not (empty (get $.Values $transport)))) -}}
{{- end -}}
{{- if $controller.admissionWebhooks.enabled -}}
{{- $webhook := $controller.admissionWebhooks -}}
{{- $_ := set $optional "validating-webhook" (printf ":%s" (include "tidegate.text" $webhook.port)) -}}
{{- $_ := set $optional "validating-webhook-certificate" $webhook.certificate -}}
{{- $_ := set $optional "validating-webhook-key" $webhook.key -}}
{{- end -}}
{{- range $flag, $value := $optional -}}
{{- if $value -}}
{{- $_ := set $flags $flag $value -}}
{{- end -}}
{{- end -}}
{{- /* A controller that left before its data plane would leave it alone while it still accepts. */ -}}
{{- $grace := pick (default dict $controller.dataplane.extraArgs) "shutdown-grace-period" -}}
{{- include "tidegate.flags.joined" (list $flags $controller.extraArgs $grace) -}}
{{- end -}}

{{/* The program's flags as JSON, from files/flags.json (make generated). */}}
{{- define "tidegate.flags.known" -}}
{{- .Files.Get "files/flags.json" -}}
{{- end -}}

{{/* The flags of one container as JSON: (root, run, controller or dataplane). */}}
{{- define "tidegate.flags.of" -}}
{{- $root := first . -}}
{{- $plane := last . -}}
{{- $flags := include "tidegate.flags" $root | fromJson -}}
{{- $dataplane := $root.Values.controller.dataplane -}}
{{- if ne $plane "run" -}}
{{- $takers := (include "tidegate.flags.known" $root | fromJson).served -}}
{{- range $flag, $_ := $flags -}}
{{- if not (has $plane (default (list "controller") (get $takers $flag))) -}}
{{- $_ := unset $flags $flag -}}
{{- end -}}
{{- end -}}
{{- $_ := set $flags "socket" (include "tidegate.socket" $root) -}}
{{- $_ := set $flags "healthz-port" $root.Values.controller.metrics.controllerPort -}}
{{- end -}}
{{- if eq $plane "controller" -}}
{{- if not (hasKey $flags "supervised") -}}
{{- $_ := set $flags "supervised" "" -}}
{{- end -}}
{{- /* Where the cluster gives out users, it gives both containers the same. */ -}}
{{- with (include "tidegate.securityContext" (list $root "dataplane") | fromJson).runAsUser -}}
{{- $_ := set $flags "socket-peer-uid" . -}}
{{- end -}}
{{- else -}}
{{- $_ := set $flags "healthz-port" (include "tidegate.port" (list $root "healthz")) -}}
{{- if eq $plane "dataplane" -}}
{{- $_ := set $flags "state-dir" (include "tidegate.state" $root) -}}
{{- end -}}
{{- $flags = include "tidegate.flags.joined" (list $flags $dataplane.extraArgs) | fromJson -}}
{{- end -}}
{{- $flags | toJson -}}
{{- end -}}

{{/* (root, run, controller or dataplane); an empty value gives the bare flag. */}}
{{- define "tidegate.args" -}}
- {{ last . }}
{{- range $flag, $value := include "tidegate.flags.of" . | fromJson }}
{{- $text := include "tidegate.text" $value }}
- {{ printf "--%s%s%s" $flag (ternary "=" "" (ne $text "")) $text | quote }}
{{- end }}
{{- end -}}

{{/* Flags of users that would keep Pods from starting. */}}
{{- define "tidegate.refuse.flags" -}}
{{- $known := include "tidegate.flags.known" . | fromJson -}}
{{- $given := dict "controller.extraArgs" .Values.controller.extraArgs "controller.dataplane.extraArgs" .Values.controller.dataplane.extraArgs -}}
{{- range $name, $flags := $given -}}
{{- range $flag, $value := $flags -}}
{{- $takers := get $known.served $flag -}}
{{- if kindIs "invalid" $value -}}
{{- else if hasKey $known.replaced $flag -}}
{{- fail (printf "%s.%s is not supported: %s." $name $flag (get $known.replaced $flag)) -}}
{{- else if and $takers (eq $name "controller.dataplane.extraArgs") (not (has "dataplane" $takers)) -}}
{{- fail (printf "%s.%s is not supported: it is a flag of the controller; name it in controller.extraArgs." $name $flag) -}}
{{- else if not (or $takers (hasKey $known.ignored $flag)) -}}
{{- fail (printf "%s.%s is not supported: Tidegate has no such flag, and no Pod would start." $name $flag) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Flags of users that have no effect, for the notes. */}}
{{- define "tidegate.ignored.flags" -}}
{{- $known := include "tidegate.flags.known" . | fromJson -}}
{{- $given := dict "controller.extraArgs" .Values.controller.extraArgs "controller.dataplane.extraArgs" .Values.controller.dataplane.extraArgs -}}
{{- range $name, $flags := $given -}}
{{- range $flag, $value := $flags -}}
{{- if and (hasKey $known.ignored $flag) (not (kindIs "invalid" $value)) }}
  {{ $name }}.{{ $flag }}: {{ default "it concerns how ingress-nginx works inside" (get $known.ignored $flag) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
