{{/*
Values of ingress-nginx's chart that are accepted and change nothing: name, why, and that chart's default where it is not
empty. Those that are set to something else are named in the notes.
*/}}
{{- define "tidegate.ignored.list" -}}
{{- list
  (list "controller.admissionWebhooks.createSecretJob" "the chart makes the certificate itself")
  (list "controller.admissionWebhooks.patchWebhookJob" "the chart makes the certificate itself")
  (list "controller.admissionWebhooks.patch" "the chart makes the certificate itself")
  (list "controller.admissionWebhooks.extraEnvs" "they were for the jobs that made the certificate")
  (list "controller.admissionWebhooks.existingPsp" "Kubernetes has no PodSecurityPolicies any more")
  (list "controller.admissionWebhooks.networkPolicyEnabled" "it was for the jobs that made the certificate")
  (list "controller.autoscaling.apiVersion" "it is autoscaling/v2")
  (list "controller.customTemplate.configMapName" "there is no nginx.conf")
  (list "controller.customTemplate.configMapKey" "there is no nginx.conf")
  (list "controller.enableAnnotationValidations" "annotations are always checked" "true")
  (list "controller.enableMimalloc" "it concerns nginx" "true")
  (list "controller.enableTopologyAwareRouting" "endpoints of all zones are used alike")
  (list "controller.existingPsp" "Kubernetes has no PodSecurityPolicies any more")
  (list "controller.extraModules" "there are no nginx modules")
  (list "controller.image.chroot" "the image holds one binary; there is nothing to keep apart")
  (list "controller.image.digestChroot" "the image holds one binary; there is nothing to keep apart")
  (list "controller.image.image" "controller.image.repository names the image")
  (list "controller.image.registry" "controller.image.repository names the image")
  (list "controller.lifecycle" "no hook is needed: a Pod told to leave goes on accepting for extraArgs.shutdown-grace-period seconds (15) by itself")
  (list "controller.maxmindLicenseKey" "there is no GeoIP")
  (list "controller.opentelemetry.enabled" "no traces are sent")
  (list "controller.podSecurityPolicy.enabled" "Kubernetes has no PodSecurityPolicies any more")
  (list "defaultBackend.existingPsp" "Kubernetes has no PodSecurityPolicies any more")
  (list "dhParam" "TLS 1.2 is served with elliptic curves only")
  (list "global.image.registry" "controller.image.repository names the image")
  (list "podSecurityPolicy.enabled" "Kubernetes has no PodSecurityPolicies any more")
| toJson -}}
{{- end -}}

{{/* The value at a path of names with dots: (map, path). */}}
{{- define "tidegate.at" -}}
{{- $at := first . -}}
{{- range splitList "." (last .) -}}
{{- $at = ternary (get (ternary $at dict (kindIs "map" $at)) .) "" (kindIs "map" $at) -}}
{{- end -}}
{{- dict "value" $at | toJson -}}
{{- end -}}

{{- define "tidegate.ignored" -}}
{{- range include "tidegate.ignored.list" . | fromJsonArray -}}
{{- $value := (include "tidegate.at" (list $.Values (first .)) | fromJson).value -}}
{{- $default := join "" (slice . 2) -}}
{{- if and (or $value (and $default (kindIs "bool" $value))) (ne (toString $value) $default) }}
  {{ first . }}: {{ index . 1 }}
{{- end -}}
{{- end -}}
{{- include "tidegate.ignored.flags" . -}}
{{- end -}}

{{/* Values that have no effect together with others, likewise: whether it is so, name, why. */}}
{{- define "tidegate.idle" -}}
{{- $controller := .Values.controller -}}
{{- $metrics := $controller.metrics -}}
{{- $scraped := and $metrics.enabled $metrics.service.enabled -}}
{{- $scales := eq $controller.kind "Deployment" -}}
{{- $context := default dict $controller.containerSecurityContext -}}
{{- $imageless := and .Values.defaultBackend.enabled (ne "true" (include "tidegate.defaultBackend.runs" .)) -}}
{{- $idle := list
  (list (include "tidegate.image.foreign" .) "controller.image.tag and .digest" "they are of ingress-nginx's image, and not used; if they are not, write controller.image.repository=REPOSITORY:TAG or REPOSITORY@DIGEST")
  (list (and (include "tidegate.image.whole" $controller.image.repository) (or $controller.image.tag $controller.image.digest)) "controller.image.tag and .digest" "controller.image.repository says which")
  (list $imageless "defaultBackend.enabled" "what no rule matches gets a 404 from Tidegate itself; name defaultBackend.image.repository to have yours run")
  (list (and $controller.autoscaling.enabled (not $scales)) "controller.autoscaling.enabled" "a DaemonSet has one Pod on each node")
  (list (and $controller.keda.enabled (not $scales)) "controller.keda.enabled" "a DaemonSet has one Pod on each node")
  (list (and $metrics.serviceMonitor.enabled (not $scraped)) "controller.metrics.serviceMonitor.enabled" "controller.metrics.enabled makes the Service that it needs")
  (list (and $metrics.prometheusRule.enabled (not $metrics.enabled)) "controller.metrics.prometheusRule.enabled" "controller.metrics.enabled is false")
  (list (and $controller.networkPolicy.enabled $controller.hostNetwork) "controller.networkPolicy.enabled" "no NetworkPolicy holds on the node's own network")
  (list (and $controller.split $controller.extraVolumeMounts) "controller.extraVolumeMounts" "they are in the controller's container only; controller.dataplane.extraVolumeMounts has those of the data plane")
  (list (and $controller.split (hasKey $context "runAsUser") (not (kindIs "invalid" $context.runAsUser))) "controller.containerSecurityContext.runAsUser" "it is the controller's only, so that the two containers stay two users; the data plane's is controller.dataplane.runAsUser")
  (list (and $controller.split ($context.capabilities).add) "controller.containerSecurityContext.capabilities.add" "they are in the data plane's container only")
  (list (and $controller.scope.enabled $controller.scope.namespaceSelector) "controller.scope.namespaceSelector" "controller.scope.enabled looks at one namespace")
-}}
{{- range $idle }}
{{- if first . }}
  {{ index . 1 }}: {{ last . }}
{{- end }}
{{- end -}}
{{- end -}}
